import { syscallNumbers } from '../../src/runtime/seccomp/syscall-numbers.ts';

/** Something that a hostile RUN tries, as a line of shell, and what its output has to be. */
export interface Attempt {
  name: string;
  command: string;
  refused: RegExp;
}

/** What the kernel says of a call or a file that is not for the container. */
const REFUSED = /not permitted|denied|Read-only|EPERM|ENOSYS/i;
const keyctl = syscallNumbers(process.arch === 'arm64' ? 'arm64' : 'x86_64').get('keyctl');

/**
 * In an image with the test program (testdata/runtime/probe.c) at /probe, a file /marker, and a block device /disk
 * that does not exist, so that a test that fails does no harm.
 */
const ATTEMPTS: readonly Attempt[] = [
  {
    name: 'mknod of a disk, and opening it',
    command: 'for d in / /dev /dev/shm /tmp; do mknod $d/b b 510 77 && head -c 1 $d/b && echo OPEN; done',
    refused: REFUSED,
  },
  {
    name: 'mknod of /dev/mem, and opening it',
    command: 'for d in / /dev /dev/shm /tmp; do mknod $d/m c 1 1 && head -c 1 $d/m && echo OPEN; done',
    refused: REFUSED,
  },
  {
    // A device where the kernel lets the builder make one, else an empty file with a record.
    name: 'a disk that lies in the image',
    command: 'if [ -b /disk ]; then head -c 1 /disk; else [ ! -s /disk ] && echo not permitted; fi',
    refused: REFUSED,
  },
  {
    name: '`unshare -Ur`, then mount',
    command: '/bin/busybox unshare -U -r mount -t tmpfs x /tmp && echo MOUNTED',
    refused: REFUSED,
  },
  { name: 'mount', command: 'mount -t tmpfs x /tmp && echo MOUNTED', refused: REFUSED },
  { name: 'keyctl', command: `/probe call ${keyctl} 0 -3 1`, refused: REFUSED },
  {
    name: 'the chroot escape',
    command: '/probe escape > /tmp/names 2>&1; grep -x -e marker -e "chroot: .*" /tmp/names',
    refused: /^marker$|^chroot: Operation not permitted$/,
  },
  {
    name: 'writing /proc/sysrq-trigger and other files of the kernel',
    command:
      'for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper /sys/power/state; do [ -e $f ] && (echo x > $f) && echo WRITTEN; done; echo not permitted',
    refused: REFUSED,
  },
  {
    name: 'the kernel’s memory and log',
    command:
      'for f in /proc/kcore /dev/mem /dev/kmsg /dev/port; do [ -s $f ] && head -c 1 $f && echo READ; done; echo not permitted',
    refused: REFUSED,
  },
  { name: 'the clock', command: 'date -s @1 2>&1 | grep -v 1970', refused: REFUSED },
];

/** A script that tries all of them; `results` reads what it prints. */
export const ATTEMPTS_SCRIPT = ATTEMPTS.map(
  ({ command }, index) => `( ${command} ) 2>&1 </dev/null | sed 's/^/attempt ${index}: /'\n`,
).join('');

/** What went otherwise than it has to, in lines for people; empty when all was refused. */
export function succeeded(output: string): string[] {
  return ATTEMPTS.flatMap(({ name, refused }, index) => {
    const start = `attempt ${index}: `;
    const lines = output
      .split('\n')
      .flatMap((line) => (line.includes(start) ? [line.slice(line.indexOf(start) + start.length)] : []));
    const wrong = lines.filter((line) => !refused.test(line));
    return lines.length === 0 ? [`${name}: no answer`] : wrong.map((line) => `${name}: ${line}`);
  });
}
