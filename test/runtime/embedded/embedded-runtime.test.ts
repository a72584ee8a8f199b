import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerSpec, Mount } from '../../../src/runtime/types.ts';
import { describeWith } from '../../support/need.ts';
import {
  makeImage,
  removeScratch,
  scratchDirectory,
  startWorker,
  type TestWorker,
  testObstacle,
} from '../harness.ts';

const obstacle = (): string | undefined => testObstacle({ runtime: 'embedded', userNamespace: true });

describeWith({ needs: [obstacle] }, 'the embedded runtime', () => {
  let directory: string;
  let worker: TestWorker;
  let rootless: TestWorker;
  beforeAll(async () => {
    directory = scratchDirectory();
    const image = makeImage(`${directory}/image`);
    worker = await startWorker({ runtime: 'embedded', directory, image });
    rootless = await startWorker({ runtime: 'embedded', directory, image, userNamespace: true });
  });
  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]();
    await rootless?.[Symbol.asyncDispose]();
    removeScratch(directory);
  });

  const error = async (spec: Partial<ContainerSpec>, of = worker) => (await of.run({ spec })).error;

  /** Mount point, options of the mount and type of every mount but the masks, which depend on the kernel. */
  const table = async (of: TestWorker) =>
    (await of.shell('cut -d" " -f5,6 /proc/self/mountinfo'))
      .split('\n')
      .filter((line) => line !== '' && !/^\/(proc|sys)\//.test(line))
      .sort();

  test('mounts what a container needs, and nothing that can be written has devices', async () => {
    expect(await table(worker)).toMatchInlineSnapshot(`
      [
        "/ rw,nodev,relatime",
        "/dev rw,nosuid,nodev,relatime",
        "/dev/full rw,nosuid,noexec,relatime",
        "/dev/mqueue rw,nosuid,nodev,noexec,relatime",
        "/dev/null rw,nosuid,noexec,relatime",
        "/dev/pts rw,nosuid,noexec,relatime",
        "/dev/random rw,nosuid,noexec,relatime",
        "/dev/shm rw,nosuid,nodev,noexec,relatime",
        "/dev/tty rw,nosuid,noexec,relatime",
        "/dev/urandom rw,nosuid,noexec,relatime",
        "/dev/zero rw,nosuid,noexec,relatime",
        "/proc rw,nosuid,nodev,noexec,relatime",
        "/sys ro,nosuid,nodev,noexec,relatime",
      ]
    `);
  });

  test('in a user namespace binds the host’s devices, read-only', async () => {
    const lines = (await table(rootless)).filter((line) => line.startsWith('/dev/') && /tty|null/.test(line));
    expect(lines).toEqual(['/dev/null ro,nosuid,noexec,relatime', '/dev/tty ro,nosuid,noexec,relatime']);
    expect(await rootless.shell('echo x > /dev/null; chmod 600 /dev/null 2>&1 | grep -c . ')).toBe('1\n');
  });

  test('leaves a working /sys in a user namespace on the host’s network', async () => {
    expect(
      await rootless.shell('ls /sys/kernel | head -1 | grep -c .; touch /sys/x 2>&1 | grep -c Read-only'),
    ).toBe('1\n1\n');
  });

  test('has ttys of its own: a program of the image can make a pseudo terminal', async () => {
    expect(await worker.shell('ls /dev/pts; exec 3<>/dev/ptmx; ls /dev/pts')).toBe('ptmx\n0\nptmx\n');
  });

  test('says which user cannot be had, and what would help', async () => {
    const user = { uid: 1000, gid: 1000, additionalGids: [] };
    expect(await error({ user }, rootless)).toEqual({
      kind: 'unsupported',
      code: 'USER_NOT_MAPPED',
      message: 'this builder may not become user 1000, group 1000: invalid argument (EINVAL)',
    });
  });

  test('says which working directory cannot be entered', async () => {
    expect(await error({ cwd: '/absent' })).toEqual({
      kind: 'invalid',
      code: 'CONTAINER_CWD',
      message: 'the working directory /absent cannot be entered: no such file or directory (ENOENT)',
    });
    expect(await error({ cwd: '/etc/passwd' })).toMatchObject({ code: 'CONTAINER_CWD' });
  });

  test('says which mount failed', async () => {
    const mounts: Mount[] = [{ type: 'bind', source: '/absent', target: '/m', options: ['ro'] }];
    expect((await error({ mounts }))?.message).toBe(
      'the container cannot be set up: mount /m: no such file or directory (ENOENT)',
    );
  });

  test.each(['/', 'relative', '/../'])('refuses the mount target %s', async (target) => {
    const mounts: Mount[] = [{ type: 'tmpfs', target, options: [] }];
    expect(await error({ mounts })).toMatchObject({ kind: 'invalid', code: 'MOUNT_TARGET' });
  });

  test('refuses a mount that would reach the host by propagation', async () => {
    const mounts: Mount[] = [{ type: 'bind', source: '/tmp', target: '/m', options: ['rshared'] }];
    expect(await error({ mounts })).toMatchObject({ code: 'MOUNT_PROPAGATION' });
  });

  test('a mount may lie behind a link into an earlier mount', async () => {
    mkdirSync(`${directory}/linked`, { recursive: true });
    writeFileSync(`${directory}/linked/conf`, 'nameserver\n');
    const mounts: Mount[] = [
      { type: 'tmpfs', target: '/run', options: [] },
      { type: 'bind', source: `${directory}/linked/conf`, target: '/etc/resolv.conf', options: ['ro'] },
    ];
    const lower = makeImage(`${directory}/image-linked`);
    symlinkSync('../run/systemd/resolve/stub.conf', `${lower}/etc/resolv.conf`);
    const { stdout, upper } = await worker.run({
      lower,
      spec: { args: ['cat', '/etc/resolv.conf'], mounts },
    });
    expect(stdout).toBe('nameserver\n');
    expect(upper.filter((name) => name !== 'etc')).toEqual([]);
  });

  test('a device that is meant to be there works', async () => {
    const mounts: Mount[] = [
      { type: 'bind', source: '/dev/zero', target: '/dev/gift', options: ['ro', 'dev'] },
    ];
    expect(await worker.shell('head -c 2 /dev/gift | wc -c', { mounts })).toBe('2\n');
  });

  test('refuses a NUL byte, which would cut an argument short', async () => {
    expect(await error({ args: ['echo', 'a\0b'] })).toMatchObject({ kind: 'invalid', code: 'NUL_BYTE' });
  });

  test('passes 4000 arguments and a large environment', async () => {
    const args = [
      'sh',
      '-c',
      'echo $# $(echo -n $BIG | wc -c)',
      ...Array.from({ length: 4001 }, (_, i) => `argument ${i}`),
    ];
    const { stdout } = await worker.run({ spec: { args, env: ['PATH=/bin', `BIG=${'x'.repeat(100_000)}`] } });
    expect(stdout).toBe('4000 100000\n');
  });
});
