import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ended, startSlipway } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

interface Cache {
  id?: string;
  digest: string;
  size: number;
  inUse: boolean;
  directories: number;
}

describe('cache mounts', () => {
  const store = suiteStore();
  let empty: string;

  async function list(): Promise<Cache[]> {
    const lines = (await store.ok(['cache', 'ls', '--format=json'])).trim().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Cache);
  }

  function file(dockerfile: string): string[] {
    const path = join(
      store.root,
      '..',
      `Dockerfile-${createHash('sha256').update(dockerfile).digest('hex')}`,
    );
    writeFileSync(path, `FROM ${BASE_IMAGE}\n${dockerfile}`);
    return ['-f', path, empty];
  }

  async function build(dockerfile: string, ...flags: string[]): Promise<string> {
    const { stderr, exitCode } = await store.run([
      'build',
      '--progress=plain',
      ...flags,
      ...file(dockerfile),
    ]);
    expect(exitCode, stderr).toBe(0);
    return stderr;
  }

  beforeAll(() => {
    empty = store.context('empty', {});
  });

  it('are listed by id with the space that they take, hard links once', async () => {
    await build(
      'RUN --mount=type=cache,target=/c,id=big head -c 1000000 /dev/zero > /c/f && ln /c/f /c/g\n' +
        'RUN --mount=type=cache,target=/root/.small echo x > /root/.small/x\n',
    );
    const caches = await list();
    expect(caches.map(({ id, inUse, directories }) => ({ id, inUse, directories }))).toEqual([
      { id: 'big', inUse: false, directories: 1 },
      { id: '/root/.small', inUse: false, directories: 1 },
    ]);
    const home = join(store.root, 'cache', caches[0]!.digest);
    const du = spawnSync('du', ['-s', '--block-size=1', join(home, '0', 'f')], { encoding: 'utf8' });
    const bytes = Number(du.stdout.split('\t')[0]);
    expect(caches[0]!.size).toBeGreaterThanOrEqual(bytes);
    expect(caches[0]!.size).toBeLessThan(bytes * 1.5);
    expect(await store.ok(['cache', 'ls', '-q'])).toBe('big\n/root/.small\n');
    const shown = JSON.parse(
      await store.ok(['cache', 'inspect', 'big', caches[1]!.digest.slice(0, 12)]),
    ) as Cache[];
    expect(shown.map(({ id }) => id)).toEqual(['big', '/root/.small']);
  });

  it('go one by one, and those that are not there are an error', async () => {
    expect(await store.ok(['cache', 'rm', 'big'])).toBe('big\n');
    expect((await list()).map(({ id }) => id)).toEqual(['/root/.small']);
    const again = await store.run(['cache', 'rm', 'big']);
    expect(again).toMatchObject({ exitCode: 1 });
    expect(again.stderr).toContain('no such cache mount: big');
  });

  it('stay with --no-cache, and are empty with --reset-cache-mounts, once for the whole build', async () => {
    const twice =
      'RUN --mount=type=cache,target=/c,id=kept echo first has $(ls /c); touch /c/$(ls /c | wc -l)\n' +
      'RUN --mount=type=cache,target=/c,id=kept echo second has $(ls /c)\n';
    await build(twice);
    expect(await build(twice, '--no-cache')).toMatch(/first has 0\n.*second has 0 1\n/s);
    const reset = await build(twice, '--no-cache', '--reset-cache-mounts');
    expect(reset).toMatch(/first has\s*\n.*second has 0\n/s);
  });

  it('in use by a running build they stay', async () => {
    const args = [
      'build',
      '--progress=plain',
      ...file('RUN --mount=type=cache,target=/c,id=busy touch /c/x; echo "is up"; sleep 100\n'),
    ];
    const child = startSlipway(args, { root: store.root });
    const done = ended(child);
    await new Promise<void>((resolve) => {
      let text = '';
      child.stderr!.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (/\d is up/.test(text)) resolve();
      });
    });
    expect((await list()).find(({ id }) => id === 'busy')?.inUse).toBe(true);
    const refused = await store.run(['cache', 'rm', 'busy']);
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(refused.stderr).toContain('a running build has it mounted: busy');
    const dry = await store.ok(['cache', 'prune', '--dry-run']);
    expect(dry).toMatch(/^(?:\/root\/\.small\n|kept\n){2}Would free: \S+\n$/);
    expect(await store.ok(['cache', 'prune', '--older-than=1h'])).toBe('Total reclaimed space: 0B\n');
    expect(await store.ok(['cache', 'prune'])).toMatch(/Total reclaimed space: \S+\n$/);
    expect((await list()).map(({ id }) => id)).toEqual(['busy']);
    // Killed, not asked: what is left in the cache is there for the next build, and nothing holds it.
    child.kill('SIGKILL');
    await done;
    await expect.poll(async () => (await list())[0]?.inUse, { timeout: 60_000 }).toBe(false);
    const next = 'RUN --mount=type=cache,target=/c,id=busy echo has $(ls /c)\n';
    expect(await build(next)).toContain('has x\n');
  });

  it('what a killed process left half-made goes with its cache', async () => {
    const [cache] = await list();
    const home = join(store.root, 'cache', cache!.digest);
    mkdirSync(join(home, '0.999.new', 'deep'), { recursive: true });
    mkdirSync(join(home, '0.999.gone'));
    await store.ok(['cache', 'rm', 'busy']);
    expect(readdirSync(join(store.root, 'cache'))).toEqual([]);
    expect(await store.ok(['cache', 'ls'])).toMatch(/^ID +SIZE +LAST USED +IN USE *\n$/);
    expect(await store.ok(['system', 'check'])).toContain('The store is whole');
  });
});
