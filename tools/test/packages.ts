import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { hostBusybox } from '../base/busybox.ts';
import { findProgram } from '../base/programs.ts';
import { clockLibrary } from './faketime.ts';

/** A Debian package and how to see that it is there already, whoever installed it. */
interface Wanted {
  name: string;
  present(): boolean;
}

const WANTED: readonly Wanted[] = [
  { name: 'busybox-static', present: () => hostBusybox() !== undefined },
  { name: 'libfaketime', present: () => clockLibrary() !== undefined },
  { name: 'libc6-dev', present: () => existsSync('/usr/include/stdio.h') },
  ...[
    ['uidmap', 'newuidmap'],
    ['util-linux', 'unshare'],
    ['xz-utils', 'xz'],
    ['passt', 'pasta'],
    ['attr', 'setfattr'],
    ['libcap2-bin', 'setcap'],
    ['openssh-client', 'ssh-agent'],
    ['openssh-server', 'sshd'],
    ['docker-registry', 'docker-registry'],
    ['openssl', 'openssl'],
    ['qemu-user-static', 'qemu-aarch64-static'],
    ...[
      'tar',
      'python3',
      'bzip2',
      'zstd',
      'git',
      'crun',
      'runc',
      'skopeo',
      'umoci',
      'mmdebstrap',
      'gcc',
      'zsh',
      'fish',
    ].map((name) => [name, name]),
  ].map(
    ([name, programName]): Wanted => ({
      name: name!,
      present: () => findProgram(programName!) !== undefined,
    }),
  ),
];

/**
 * Installs what the tests need and this machine lacks, as root on Debian and its relatives; elsewhere, and for
 * packages that are not to be had, the suites that need them skip and say why. Gives one line per event, for people.
 */
export function providePackages(): string[] {
  const missing = WANTED.filter((wanted) => !wanted.present()).map((wanted) => wanted.name);
  if (missing.length === 0) return [];
  if (process.getuid?.() !== 0) return [`not installed, and only root can install it: ${missing.join(' ')}`];
  if (findProgram('apt-get') === undefined)
    return [`not installed, and there is no apt-get: ${missing.join(' ')}`];
  apt('update');
  if (apt('install', '-y', '--no-install-recommends', ...missing)) return [`installed: ${missing.join(' ')}`];
  // One package that cannot be had must not take the others with it.
  return missing.map((name) =>
    apt('install', '-y', '--no-install-recommends', name) ? `installed: ${name}` : `not to be had: ${name}`,
  );
}

function apt(...args: string[]): boolean {
  const result = spawnSync('apt-get', ['-q', ...args], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 300_000,
  });
  return result.status === 0;
}
