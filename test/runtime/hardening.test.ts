import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { syscallNumbers } from '../../src/runtime/seccomp/syscall-numbers.ts';
import type { ContainerSpec, Mount } from '../../src/runtime/types.ts';
import { describeWith, program } from '../support/need.ts';
import type { Subject } from './conformance.ts';
import {
  makeImage,
  removeScratch,
  scratchDirectory,
  startWorker,
  type TestWorker,
  testObstacle,
} from './harness.ts';

const probeSource = join(import.meta.dirname, '../../testdata/runtime/probe.c');

const subjects: Subject[] = [
  { runtime: 'embedded' },
  { runtime: 'embedded', userNamespace: true },
  { runtime: 'runc' },
  { runtime: 'crun' },
];

/**
 * A node of a device that does not exist, so that a test that fails does no harm: a kernel that would have opened
 * it says ENXIO, one that forbids it EACCES or EPERM.
 */
function makeDevice(path: string, type: 'b' | 'c'): void {
  execFileSync('mknod', ['-m', '666', path, type, '510', '77']);
}

const native = syscallNumbers(process.arch === 'arm64' ? 'arm64' : 'x86_64');

describe.each(subjects)('hardening of $runtime (user namespace: $userNamespace)', (subject) => {
  describeWith({ needs: [() => testObstacle(subject), program('gcc')] }, 'a hostile image', () => {
    let directory: string;
    let image: string;
    let worker: TestWorker;
    let server: Server;
    beforeAll(async () => {
      directory = scratchDirectory();
      image = makeImage(`${directory}/image`);
      execFileSync('gcc', ['-static', '-O1', '-w', '-o', `${image}/bin/probe`, probeSource]);
      // Devices in the image, as a foreign archive might hold them.
      makeDevice(`${image}/disk`, 'b');
      makeDevice(`${image}/character`, 'c');
      writeFileSync(`${image}/self`, '#!/proc/self/exe\n', { mode: 0o755 });
      writeFileSync(`${image}/marker`, 'own root');
      server = createServer().listen(`\0slipway-hardening-${process.pid}`);
      worker = await startWorker({ ...subject, directory, image });
    });
    afterAll(async () => {
      await worker?.[Symbol.asyncDispose]();
      server?.close();
      removeScratch(directory);
    });

    const run = (spec: Partial<ContainerSpec>, lower?: string) =>
      worker.run({ spec, ...(lower && { lower }) });
    const output = async (text: string, spec?: Partial<ContainerSpec>) => {
      const { stdout, stderr, error } = await run({ args: ['sh', '-c', text], ...spec });
      if (error) throw new Error(`${error.code}: ${error.message}`);
      return stdout + stderr;
    };
    const call = (name: string, ...args: (string | number)[]) =>
      output(`probe call ${native.get(name)} ${args.map((arg) => `'${arg}'`).join(' ')}`).then((s) =>
        s.trim(),
      );

    test('mknod of a disk and of /dev/mem is refused everywhere that can be written', async () => {
      const mounts: Mount[] = [{ type: 'tmpfs', target: '/scratch', options: [] }];
      const text =
        'for d in / /dev /dev/shm /scratch /tmp; do mknod $d/x b 510 77; mknod $d/y c 1 1; done; ls /x /y /dev/x 2>/dev/null';
      const lines = (await output(text, { mounts })).trim().split('\n');
      expect(lines).toHaveLength(10);
      for (const line of lines) expect(line).toMatch(/Operation not permitted|Permission denied/);
    });

    test('a device that lies in the image cannot be opened', async () => {
      const text = await output('head -c 1 /disk; head -c 1 /character');
      expect(text.trim().split('\n')).toHaveLength(2);
      for (const line of text.trim().split('\n'))
        expect(line).toMatch(/Permission denied|Operation not permitted/);
    });

    test('a disk that lies on a bind mount cannot be opened', async () => {
      const source = `${directory}/with-disk`;
      mkdirSync(source, { recursive: true });
      makeDevice(`${source}/disk`, 'b');
      const mounts: Mount[] = [{ type: 'bind', source, target: '/m', options: [] }];
      expect(await output('head -c 1 /m/disk', { mounts })).toMatch(/Permission denied/);
    });

    test('the modes of the host’s devices stay', async () => {
      const before = statSync('/dev/null').mode;
      await output('chmod 600 /dev/null; chown 5 /dev/null; chmod 600 /dev/zero');
      expect(statSync('/dev/null').mode).toBe(before);
      expect(statSync('/dev/null').uid).toBe(0);
    });

    test('no namespace can be made', async () => {
      const flags = { user: 0x10000000, mount: 0x20000, net: 0x40000000, pid: 0x20000000, time: 0x80 };
      for (const flag of Object.values(flags)) expect(await call('unshare', flag)).toBe('EPERM');
      expect(await call('clone', 0x10000000 + 17)).toBe('EPERM');
      // Its flags cannot be filtered: libc is told that there is no such call.
      expect(await call('clone3', 'b:88', 88)).toBe('ENOSYS');
      expect(await output('unshare -r mount -t tmpfs x /tmp; true')).toMatch(/Operation not permitted/);
    });

    test('nothing can be mounted, unmounted or moved', async () => {
      expect(await call('mount', 's:tmpfs', 's:/tmp', 's:tmpfs', 0, 0)).toBe('EPERM');
      expect(await call('umount2', 's:/proc/sys', 2)).toBe('EPERM');
      expect(await call('pivot_root', 's:/tmp', 's:/tmp')).toBe('EPERM');
      expect(await call('fsopen', 's:tmpfs', 0)).toBe('EPERM');
      expect(await call('open_tree', -100, 's:/', 1)).toBe('EPERM');
      expect(await call('setns', 0, 0)).toBe('EPERM');
    });

    test('calls that Docker’s profile refuses are refused', async () => {
      expect(await call('keyctl', 0, -3, 1)).toBe('EPERM');
      expect(await call('add_key', 's:user', 's:x', 's:y', 1, -3)).toBe('EPERM');
      expect(await call('bpf', 0, 0, 0)).toBe('EPERM');
      expect(await call('perf_event_open', 0, 0, 0, 0, 0)).toBe('EPERM');
      expect(await call('open_by_handle_at', 0, 0, 0)).toBe('EPERM');
      expect(await call('socket', 40, 1, 0)).toBe('EPERM');
      expect(await call('socket', 38, 5, 0)).toBe('EPERM');
      expect(await call('personality', 0x40000)).toBe('EPERM');
      expect(await call('sethostname', 's:x', 1)).toBe('EPERM');
      expect(await output('probe call 425 1 0')).toBe('EPERM\n'); // io_uring_setup
      expect(await call('socket', 2, 1, 0)).toBe('ok');
      expect(await call('personality', 0xffffffff)).toBe('ok');
    });

    test.runIf(process.arch === 'x64')('the 32-bit entry leads to the same', async () => {
      const old = syscallNumbers('i386');
      const call32 = (name: string, ...args: (string | number)[]) =>
        output(`probe call32 ${old.get(name)} ${args.join(' ')}`).then((s) => s.trim());
      expect(await call32('getpid')).toBe('ok');
      expect(await call32('mount', 's:tmpfs', 's:/tmp', 's:tmpfs', 0, 0)).toBe('EPERM');
      expect(await call32('unshare', 0x10000000)).toBe('EPERM');
      expect(await call32('clone3', 'b:88', 88)).toBe('ENOSYS');
      // x32: libseccomp kills, ours says that there is no such call.
      expect(await output(`probe call ${0x40000000 + 165} 0 0 0 0`)).toBe(
        subject.runtime === 'embedded' ? 'ENOSYS\n' : '',
      );
    });

    test('the chroot escape ends in the container’s own root', async () => {
      const names = (await output('probe escape')).trim().split('\n');
      expect(names).toContain('marker');
      expect(names).not.toContain('lib64');
    });

    test('the kernel cannot be told anything', async () => {
      const files =
        '/proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches /sys/power/state /sys/kernel/uevent_helper';
      const text = `for f in ${files}; do if [ -e $f ]; then (echo x > $f) 2>&1 && echo WRITTEN $f; fi; done; true`;
      const lines = (await output(text)).trim().split('\n');
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) expect(line).toMatch(/Read-only file system|Permission denied/);
    });

    test.each([3, 4, 5, 6, 7, 8, 9, 10])(
      'a working directory of /proc/self/fd/%i leads nowhere',
      async (fd) => {
        const { error, stdout } = await run({
          args: ['ls', '/proc/self/cwd/../../../..'],
          cwd: `/proc/self/fd/${fd}`,
        });
        if (error) expect(error.code).toMatch(/CONTAINER_(CWD|SETUP)|EXEC/);
        else expect(stdout).not.toContain('lib64');
      },
    );

    test('the program that started it cannot be reached or changed', async () => {
      // A script whose interpreter is the program that executes it; the worker's is not a file at all.
      const { exit, error } = await run({ args: ['/self'] });
      expect(error?.code ?? exit?.exitCode).not.toBe(0);
      expect(await output('readlink /proc/1/exe')).toBe('/bin/busybox\n');
      expect((await run({})).exit).toEqual({ exitCode: 0 });
    });

    test.each(['/proc', '/dev', '/sys'])(
      'an image whose %s is a symbolic link reaches nothing outside',
      async (path) => {
        const outside = mkdtempSync(join(tmpdir(), 'slipway-outside-'));
        const lower = makeImage(`${directory}/image-link${path.replace('/', '-')}`);
        symlinkSync(outside, `${lower}${path}`);
        const { error, stdout } = await run(
          { args: ['sh', '-c', `ls -d ${path}/self ${path}/null ${path}/kernel`] },
          lower,
        );
        expect(readdirSync(outside)).toEqual([]);
        rmSync(outside, { recursive: true });
        if (subject.runtime === 'embedded') expect(error?.code).toMatch(/^(CONTAINER_SETUP|MOUNT_TARGET)$/);
        else expect(error !== undefined || stdout !== undefined).toBe(true);
      },
    );

    test('a mount target that is a symbolic link reaches nothing outside', async () => {
      // Not below /dev, where the container has a file system of its own.
      const outside = mkdtempSync(join(tmpdir(), 'slipway-outside-'));
      writeFileSync(`${outside}/file`, 'host');
      const lower = makeImage(`${directory}/image-target`);
      symlinkSync(outside, `${lower}/absolute`);
      symlinkSync(`../../../../../../../../../..${outside}`, `${lower}/relative`);
      const source = `${directory}/target-source`;
      mkdirSync(source, { recursive: true });
      writeFileSync(`${source}/inside`, 'x');
      const mounts: Mount[] = [
        { type: 'bind', source, target: '/absolute', options: [] },
        { type: 'bind', source, target: '/relative/deep', options: [] },
      ];
      const { stdout, upper } = await run(
        { args: ['sh', '-c', 'ls /absolute /relative/deep; touch /absolute/made'], mounts },
        lower,
      );
      expect(stdout).toContain('inside');
      expect(readdirSync(outside)).toEqual(['file']);
      expect(existsSync(`${source}/made`)).toBe(true);
      expect(upper.filter((name) => statSync(`/${name}`, { throwIfNoEntry: false }) === undefined)).toEqual(
        [],
      );
      rmSync(outside, { recursive: true });
    });

    test('abstract sockets of the host are out of reach on a network of its own', async () => {
      const name = `slipway-hardening-${process.pid}`;
      expect(await output(`probe connect ${name}`, { network: 'none' })).toBe('ECONNREFUSED\n');
      // The one thing that sharing the host's network gives away; docs say so.
      expect(await output(`probe connect ${name}`)).toBe('ok\n');
    });

    test('no process outside can be signalled or seen', async () => {
      expect(await output('kill -9 -1 2>/dev/null; echo alive; ls -d /proc/[0-9]* | wc -l')).toMatch(
        /^alive\n[1-3]\n$/,
      );
    });
  });
});
