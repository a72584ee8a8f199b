import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ended, startSlipway } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

interface Usage {
  ID: string;
  Parents: string[];
  Reclaimable: boolean;
  Shared: boolean;
  Size: number;
  Description: string;
}

describe('builder prune', () => {
  const store = suiteStore();
  let number = 0;

  /** Steps of known size; no image keeps them. */
  async function fill(...sizes: number[]): Promise<string> {
    const lines = sizes.map((size, index) => `RUN head -c ${size} /dev/zero > /f${index} # ${number}`);
    const context = store.context(`context-${number++}`, {
      Dockerfile: [`FROM ${BASE_IMAGE}`, ...lines, ''].join('\n'),
    });
    await store.ok(['build', '-o', 'type=cacheonly', context]);
    return context;
  }

  async function usage(...flags: string[]): Promise<Usage[]> {
    const text = await store.ok(['builder', 'du', '--format=json', '--filter=type=regular', ...flags]);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Usage);
  }

  const diskUsage = (): number =>
    1024 *
    Number(
      execFileSync(
        'du',
        ['-sk', ...['layers', 'listings', 'overrides'].map((name) => join(store.root, name))],
        {
          encoding: 'utf8',
        },
      )
        .split('\n')
        .reduce((sum, line) => sum + Number(line.split('\t')[0]), 0),
    );

  const freedBy = (text: string): string => /(?:Total|Would free):\t(.*)\n$/.exec(text)![1]!;

  beforeEach(async () => {
    await store.ok(['builder', 'prune', '-af']);
    expect(await usage()).toEqual([]);
  });

  it('says what it would free, as measured on the disk, and frees that', async () => {
    await fill(3_000_000, 5_000_000);
    const entries = await usage();
    expect(entries.map(({ Description }) => Description.split(' #')[0])).toEqual([
      'RUN head -c 3000000 /dev/zero > /f0',
      'RUN head -c 5000000 /dev/zero > /f1',
    ]);
    expect(entries[1]!.Parents).toEqual([entries[0]!.ID]);
    const before = diskUsage();
    const dry = await store.ok(['builder', 'prune', '--dry-run']);
    expect(diskUsage()).toBe(before);
    expect(await usage()).toEqual(entries);
    const done = await store.ok(['buildx', 'prune', '-f']);
    expect(freedBy(done)).toBe(freedBy(dry));
    expect(freedBy(done)).toMatch(/^8\.\d+MB$/);
    const sizes = entries.reduce((sum, { Size }) => sum + Size, 0);
    // The directory of all layers itself is not counted.
    expect(Math.abs(before - diskUsage() - sizes)).toBeLessThan(16_384);
    expect(await usage()).toEqual([]);
    expect((await store.run(['system', 'check'])).exitCode).toBe(0);
  });

  it('asks first', async () => {
    await fill(1000);
    const declined = await store.ok(['builder', 'prune'], { input: 'n\n' });
    expect(declined).toBe(
      'WARNING! This will remove all dangling build cache.\nAre you sure you want to continue? [y/N] ',
    );
    expect(await usage()).toHaveLength(1);
    await store.ok(['builder', 'prune'], { input: 'y\n' });
    expect(await usage()).toEqual([]);
  });

  it('leaves images whole; with --all their records go, and nothing is freed', async () => {
    const context = await fill(2_000_000);
    await store.ok(['build', '-t', 'test/kept', context]);
    expect(await usage()).toMatchObject([{ Shared: true, Reclaimable: false }]);
    expect(freedBy(await store.ok(['builder', 'prune', '-f']))).toBe('0B');
    expect(await usage()).toHaveLength(1);
    expect(freedBy(await store.ok(['builder', 'prune', '-af']))).toBe('0B');
    expect(await usage()).toEqual([]);
    expect(await store.ok(['run', '--rm', 'test/kept', 'wc', '-c', '/f0'])).toContain('2000000');
    await store.ok(['rmi', 'test/kept']);
  });

  it('takes the least recently used first, down to a limit; filters narrow it', async () => {
    await fill(4_000_000);
    await fill(2_000_000, 1_000_000);
    const limited = await store.ok(['builder', 'prune', '-f', '--max-used-space=4mb', '--verbose']);
    expect(limited).toContain('Description: RUN head -c 4000000');
    expect(await usage()).toHaveLength(2);
    await store.ok(['builder', 'prune', '-f', '--filter', 'until=1h']);
    expect(await usage()).toHaveLength(2);
    await store.ok(['builder', 'prune', '-f', '--filter', 'description~=head -c 1']);
    const [left] = await usage();
    expect(await usage('--filter', 'type=regular')).toEqual([left]);
    expect(await usage('--filter', 'shared')).toEqual([]);
    expect(await usage('--filter', `id!=${left!.ID}`)).toEqual([]);
    await store.ok([
      'builder',
      'prune',
      '-f',
      '--filter',
      `id=${left!.ID.slice(0, 9)}`,
      '--filter=inuse=false',
    ]);
    expect(await usage()).toEqual([]);
    const wrong = await store.run(['builder', 'prune', '-f', '--filter', 'colour=red']);
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      expect.any(Number),
      expect.stringContaining('invalid filter'),
    ]);
  });

  it('cache mounts are entries too', async () => {
    const context = store.context(`context-${number++}`, {
      Dockerfile: `FROM ${BASE_IMAGE}\nRUN --mount=type=cache,id=objects,target=/c head -c 3000000 /dev/zero > /c/f; cp /etc/passwd /p\n`,
    });
    await store.ok(['build', '-o', 'type=cacheonly', context]);
    const template = '{{.Type}} {{.Mutable}} {{.Reclaimable}} {{.Description}}';
    const listed = await store.ok(['builder', 'du', '--format', template, '--filter', 'mutable']);
    expect(listed).toBe('exec.cachemount true true cache mount objects\n');
    const table = await store.ok([
      'buildx',
      'du',
      '--format',
      'table {{.Type}}\t{{.Size}}',
      '--filter=mutable',
    ]);
    expect(table.split('\n')[0]).toBe('TYPE              SIZE');
    expect(table).toMatch(/^exec\.cachemount {3}3\.\d+MB$/m);
    // A rule for results alone has nothing to do with them; one that names them has.
    await store.ok(['builder', 'prune', '-f', '--filter', 'type=regular']);
    expect(await store.ok(['cache', 'ls', '-q'])).toBe('objects\n');
    await store.ok(['build', '-o', 'type=cacheonly', context]);
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${BASE_IMAGE}\nRUN --mount=type=cache,id=objects,target=/c cat /c/f | wc -c; true\n`,
    );
    const rules = JSON.stringify({ rules: [{ maxUsedSpace: '1mb', filters: ['type=exec.cachemount'] }] });
    writeFileSync(join(store.root, 'gc.json'), rules);
    await store.ok(['build', '-o', 'type=cacheonly', context]);
    rmSync(join(store.root, 'gc.json'));
    expect(await store.ok(['cache', 'ls', '-q'])).toBe('');
    expect(await usage()).toHaveLength(2);
    await store.ok(['build', '-o', 'type=cacheonly', '--no-cache', context]);
    const freed = freedBy(await store.ok(['builder', 'prune', '-f']));
    expect(await store.ok(['cache', 'ls', '-q'])).toBe('');
    expect(freed).toMatch(/kB$/);
    const wrong = await store.run(['builder', 'du', '--verbose', '--format', 'json']);
    expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('cannot be used together') });
  });

  it('takes nothing that a running build uses', async () => {
    const first = `FROM ${BASE_IMAGE} AS one\nRUN echo ${number} > /one\n`;
    const context = store.context(`context-${number++}`, { Dockerfile: first });
    await store.ok(['build', '-o', 'type=cacheonly', context]);
    const gate = join(context, 'gate');
    // The first step is found, the second one waits until the cache has been pruned.
    writeFileSync(
      join(context, 'Dockerfile'),
      `${first}RUN --mount=type=cache,target=/gate echo started && while [ ! -e /gate/open ]; do sleep 0.05; done\nRUN cat /one\n`,
    );
    const child = startSlipway(['build', '--progress=plain', '-t', 'test/gate', context], {
      root: store.root,
    });
    const result = ended(child);
    await new Promise<void>((resolve) => {
      child.stderr!.on('data', (chunk: Buffer) => String(chunk).includes(' started') && resolve());
    });
    await store.ok(['builder', 'prune', '-af']);
    expect(await usage()).toMatchObject([
      { Description: expect.stringContaining('/one'), Reclaimable: false },
    ]);
    await store.ok(['build', '-o', 'type=cacheonly', '-f-', context], {
      input: `FROM ${BASE_IMAGE}\nRUN --mount=type=cache,target=/gate touch /gate/open\n`,
    });
    expect(await result).toMatchObject({ exitCode: 0 });
    expect(existsSync(gate)).toBe(false);
    expect((await store.run(['system', 'check'])).exitCode).toBe(0);
    await store.ok(['rmi', 'test/gate']);
  });

  it('is done at the end of a build when a rule asks for it, and spares that build', async () => {
    await fill(3_000_000);
    const context = store.context(`context-${number++}`, {
      Dockerfile: `FROM ${BASE_IMAGE}\nRUN head -c 2000000 /dev/zero > /new\n`,
    });
    const build = ['build', '-o', 'type=cacheonly', context];
    await store.ok(build, { env: { SLIPWAY_GC: 'off' } });
    expect(await usage()).toHaveLength(2);
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE_IMAGE}\nRUN head -c 2000001 /dev/zero > /new\n`);
    writeFileSync(join(store.root, 'gc.json'), '{"rules": [{"maxUsedSpace": "1mb"}]}');
    await store.ok(build);
    expect(await usage()).toMatchObject([{ Description: 'RUN head -c 2000001 /dev/zero > /new' }]);
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE_IMAGE}\nRUN head -c 9 /dev/zero > /new\n`);
    writeFileSync(join(store.root, 'gc.json'), '{"rules": [{"most": 1}]}');
    expect((await store.run(build)).stderr).toContain('there is no most in a rule');
    rmSync(join(store.root, 'gc.json'));
    expect(await usage()).toHaveLength(2);
  });
});
