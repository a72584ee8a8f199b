import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readHierarchies } from '../../src/runtime/cgroup-hierarchies.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

/** Takes 60 MB of memory. */
const GREEDY = `x=$(head -c 60000000 /dev/zero | tr '\\0' x); test \${#x} = 60000000`;

/** Whether this machine lets the suite make cgroups with that controller. */
function canLimit(controller: string): boolean {
  const hierarchy = readHierarchies().find(({ controllers }) => controllers.includes(controller));
  if (hierarchy === undefined) return false;
  const path = join(hierarchy.mount, `slipway-test-${process.pid}`);
  try {
    mkdirSync(path);
    const file = hierarchy.unified ? `${controller}.max` : 'cgroup.procs';
    return existsSync(join(path, file));
  } catch {
    return false;
  } finally {
    if (existsSync(path)) rmdirSync(path);
  }
}

describe('flags of build that hold for every RUN', () => {
  const store = suiteStore();
  let count = 0;

  /** Output of a RUN, without times. */
  async function outputOf(command: string, ...flags: string[]): Promise<{ text: string; exitCode: number }> {
    const context = store.context(`run-${count++}`, { Dockerfile: `FROM ${BASE_IMAGE}\nRUN ${command}\n` });
    const { stderr, exitCode } = await store.run(['build', '--progress=plain', ...flags, context]);
    const lines = stderr.split('\n').flatMap((line) => /^#\d+ \d+\.\d+ (.*)$/.exec(line)?.[1] ?? []);
    return { text: lines.join('\n'), exitCode: exitCode ?? -1, ...{ stderr } };
  }

  it('--add-host takes all forms', async () => {
    const hosts = ['a:1.2.3.4', 'b=1.2.3.5', 'c:::1', 'd:[::2]', 'e=[::3],f:1.2.3.6', 'g:host-gateway'];
    const { text } = await outputOf('cat /etc/hosts', ...hosts.map((host) => `--add-host=${host}`));
    expect(text).toMatchInlineSnapshot(`
      "127.0.0.1	localhost buildkitsandbox
      ::1	localhost ip6-localhost ip6-loopback
      1.2.3.4	a
      1.2.3.5	b
      ::1	c
      ::2	d
      ::3	e
      1.2.3.6	f
      127.0.0.1	g"
    `);
  });

  it('--ulimit and --shm-size', async () => {
    const { text } = await outputOf(
      `ulimit -Sn; ulimit -Hn; ulimit -c; df -k /dev/shm | tail -1 | awk '{ print $2 }'`,
      ...['--ulimit', 'nofile=100:200', '--ulimit', 'core=7', '--ulimit', 'core=0', '--shm-size', '10m'],
    );
    expect(text).toBe('100\n200\n0\n10240');
  });

  it('what a RUN can see of them counts in its key, addresses and cgroups do not', async () => {
    const context = store.context('keys', { Dockerfile: `FROM ${BASE_IMAGE}\nRUN true # keys\n` });
    const cached = async (...flags: string[]): Promise<boolean> => {
      const { stderr } = await store.run(['build', '--progress=plain', ...flags, context]);
      return /\] RUN .*\n#\d+ CACHED$/m.test(stderr);
    };
    expect(await cached()).toBe(false);
    expect(await cached('-m', '1g')).toBe(true);
    expect(await cached('--cgroup-parent', 'slipway-test')).toBe(true);
    expect(await cached('--add-host', 'a:1.2.3.4')).toBe(false);
    expect(await cached('--add-host', 'a:1.2.3.5')).toBe(true);
    expect(await cached('--ulimit', 'nofile=99')).toBe(false);
    expect(await cached('--shm-size', '1m')).toBe(false);
  });

  it.each([
    ['-m', '30m'],
    ['--resource', 'memory=30m,memory-swap=30m'],
    ['--runtime=embedded', '-m', '30m', '--memory-swap=30m'],
  ])('%s %s: too much memory ends a RUN, or a warning says that there is no limit', async (...flags) => {
    // A limit is no part of a key: without the comment, where no limit can be had, the first one serves for all.
    const command = `${GREEDY} # ${flags.join(' ')}`;
    const { exitCode, ...rest } = await outputOf(command, '--memory-swap', '30m', ...flags);
    const { stderr } = rest as unknown as { stderr: string };
    if (canLimit('memory')) {
      expect(stderr).toContain('exit code: 137');
      expect(stderr).toContain('It was killed (SIGKILL)');
    } else {
      expect(exitCode).toBe(0);
      expect(stderr).toMatch(/LIMIT_DISCARDED: Your kernel does not support .* discarded\./);
    }
    expect(exitCode).toBe(canLimit('memory') ? 1 : 0);
  });

  it('--cgroup-parent and processors: a cgroup with the limits, and none is left', async () => {
    const hierarchy = readHierarchies().find(({ controllers }) => controllers.includes('cpu'));
    if (hierarchy === undefined || !canLimit('cpu')) {
      const { text, ...rest } = await outputOf('echo ran', '--cpu-quota', '20000');
      expect(text).toBe('ran');
      expect((rest as unknown as { stderr: string }).stderr).toContain('LIMIT_DISCARDED');
      return;
    }
    const parent = `slipway-test-parent-${process.pid}`;
    const directory = join(hierarchy.mount, parent);
    const context = store.context('cgroup', { Dockerfile: `FROM ${BASE_IMAGE}\nRUN sleep 3\n` });
    const build = store.run([
      ...['build', '--progress=plain', '--cgroup-parent', `/${parent}`],
      ...['--cpu-quota', '20000', '--cpu-period', '100000', '-c', '512', context],
    ]);
    const files = (): string[] =>
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        .filter(
          (path) => path.endsWith('/cgroup.procs') && readFileSync(join(directory, path), 'utf8') !== '',
        )
        .map((path) => join(directory, path, '..'));
    await expect
      .poll(() => (existsSync(directory) ? files() : []), { timeout: 30_000, interval: 20 })
      .toHaveLength(1);
    const [cgroup] = files();
    const value = (file: string): string => readFileSync(join(cgroup!, file), 'utf8').trim();
    const [limits, expected] = hierarchy.unified
      ? [
          ['cpu.max', 'cpu.weight'],
          ['20000 100000', '20'],
        ]
      : [
          ['cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.shares'],
          ['20000', '100000', '512'],
        ];
    // A runtime may set them after the container's first process is in its cgroup.
    await expect.poll(() => limits.map(value), { timeout: 30_000, interval: 20 }).toEqual(expected);
    expect((await build).exitCode).toBe(0);
    expect(readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())).toEqual(
      [],
    );
    for (const { mount } of readHierarchies()) {
      if (existsSync(join(mount, parent))) rmdirSync(join(mount, parent));
    }
  });

  it('a flag without effect says so, and nothing when it is turned off', async () => {
    const context = store.context('ineffective', { Dockerfile: `FROM ${BASE_IMAGE}\n` });
    const said = async (...flags: string[]): Promise<string> =>
      (await store.run(['build', '-q', ...flags, context])).stderr;
    expect(await said('--pull=false', '--push=false', '--provenance=false')).toBe('');
    expect(await said('--security-opt', 'seccomp=unconfined')).toBe(
      `WARNING: --security-opt has no effect: write "RUN --security=insecure" and give --allow security.insecure
`,
    );
  });

  it.each([
    [['--add-host', 'x'], 'ERROR: invalid host x'],
    [['--add-host', 'a:foo'], 'ERROR: invalid host a:foo'],
    [['-m', '4m'], 'ERROR: Minimum memory limit allowed is 6MB'],
    [
      ['-m', '7m', '--memory-swap=6m'],
      'ERROR: Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [['--resource', 'x=1'], 'invalid argument "x=1" for "--resource" flag: unknown resource "x"'],
  ])('%j is refused', async (flags, line) => {
    const { stderr, exitCode } = await store.run(['build', ...flags, '.']);
    expect(stderr.split('\n')[0]).toBe(line);
    expect(exitCode).toBe(line.startsWith('ERROR') ? 1 : 125);
  });
});
