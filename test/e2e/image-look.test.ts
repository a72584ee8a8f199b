import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { describeWith, severalIds } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const DOCKERFILE = `FROM ${BASE_IMAGE} AS base
RUN mkdir /d && head -c 3000000 /dev/zero > /d/big && echo one > /d/small && ln -s small /d/link && ln /d/small /d/hard
RUN echo two > /d/small && rm /d/big && head -c 1000000 /dev/zero > /again && chmod 600 /d/hard
RUN head -c 1000001 /dev/zero > /again; echo "$WHO" > /who; rm -r /d; mkdir /d; echo three > /d/new; ln -s /d/new /abs
CMD ["sh"]
`;

describeWith({ needs: [severalIds()] }, 'looking into images', () => {
  const store = suiteStore();

  beforeAll(async () => {
    const one = store.context('one', { Dockerfile: DOCKERFILE });
    const two = store.context('two', {
      Dockerfile: DOCKERFILE.replace('echo three', 'echo four').replace(
        'CMD',
        'ENV A=b\nLABEL c="d e"\nRUN chmod 640 /who && touch /e && chown 3:4 /abs -h && rm /again\nCMD',
      ),
    });
    await store.ok(['build', '-q', '-t', 'test/one', one]);
    await store.ok(['build', '-q', '-t', 'test/two', two]);
  });

  it('image layers: what each adds, changes, removes and wastes', async () => {
    const text = await store.ok([
      'image',
      'layers',
      '--format',
      '{{.Number}} {{.Added}} {{.Changed}} {{.Removed}} {{.Wasted}}',
      'test/one',
    ]);
    expect(text.split('\n').slice(1)).toEqual(['2 4 0 0 3MB', '3 1 2 1 1MB', '4 3 1 3 0B', '']);
    const table = await store.ok(['image', 'layers', 'test/one']);
    expect(table.split('\n')[0]).toMatch(
      /^LAYER +CREATED BY +SIZE +ADDED +CHANGED +REMOVED +WASTED +DIFF ID$/,
    );
    expect(table).toMatch(
      /^4 +RUN \/bin\/sh -c head -c 1000001 .*… +1MB +3 +1 +3 +0B +sha256:[0-9a-f]{12}$/m,
    );
    const [, percent] =
      /^Efficiency: ([\d.]+)% \(4MB of [\d.]+MB are replaced or removed by later layers\)$/m.exec(table)!;
    expect(table).toMatch(
      /\n {2} +3MB {2}\/d\/big\n {2} +1MB {2}\/again\n {2} +8B {2}\/d\/hard \(2 copies\)\n/,
    );
    const { efficiency, total, wasted } = JSON.parse(
      await store.ok(['image', 'layers', '--format=json', 'test/one']),
    ) as { efficiency: number; total: number; wasted: number };
    expect((100 * efficiency).toFixed(1)).toBe(percent);
    // What the merged tree shows is what the layers hold but for what is wasted.
    const files = await store.ok(['image', 'ls-files', '-l', 'test/one']);
    const seen = files.split('\n').flatMap((line) => {
      const [, mode, size] = /^(\S)\S+ +\S+ +(\d+) /.exec(line) ?? [];
      return mode === '-' ? [Number(size)] : [];
    });
    expect(seen.reduce((sum, size) => sum + size, 0)).toBe(total - wasted);
  });

  it('image layers: thresholds end with exit code 1', async () => {
    const low = await store.run(['image', 'layers', '--lowest-efficiency', '0.99', 'test/one']);
    expect(low).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^efficiency 0\.\d+ is below 0\.99\n$/),
    });
    const waste = await store.run(['image', 'layers', '--highest-wasted-bytes', '1MB', 'test/one']);
    expect(waste).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('bytes are wasted') });
    const fine = ['--lowest-efficiency=0.1', '--highest-wasted-bytes=1GB', 'test/one'];
    expect((await store.run(['image', 'layers', ...fine])).exitCode).toBe(0);
    const wrong = await store.run(['image', 'layers', '--lowest-efficiency=2', 'test/one']);
    expect(wrong.stderr).toContain('invalid --lowest-efficiency "2"');
  });

  it('image diff: configuration, layers and files', async () => {
    const text = await store.ok(['image', 'diff', '--ignore', 'time', 'test/one', 'test/two']);
    const plain = text.replace(/sha256:[0-9a-f]{12}/g, '<digest>').replace(/created: .*/, 'created: <times>');
    expect(plain).toBe(`Configuration:
  Env.A: none → "b"
  Labels.c: none → "d e"
  created: <times>

Layers:
  4: <digest> → <digest>
  5: none → <digest>

Files:
  C /abs (owner 0:0 → 3:4)
  D /again
  C /d/new (content)
  A /e
  C /who (mode 0644 → 0640)
`);
    const same = ['image', 'diff', '--exit-code', 'test/one', 'test/one'];
    expect(await store.run(same)).toMatchObject({ exitCode: 0, stdout: 'The images are equal.\n' });
    const differ = await store.run(['image', 'diff', '--exit-code', '--format=json', 'test/two', 'test/one']);
    expect(differ.exitCode).toBe(1);
    const { files } = JSON.parse(differ.stdout) as { files: { kind: string; path: string }[] };
    expect(files.filter(({ kind }) => kind === 'removed').map(({ path }) => path)).toEqual(['/e']);
    const wrong = await store.run(['image', 'diff', '--ignore=colour', 'test/one', 'test/two']);
    expect(wrong.stderr).toContain('One of type, content, mode');
  });

  it('image ls-files: as find sees them', async () => {
    const listed = (await store.ok(['image', 'ls-files', 'test/one'])).trim().split('\n');
    const out = join(store.root, '../rootfs.tar');
    await store.ok(['build', '-q', '-o', `type=tar,dest=${out}`, '-f-', '.'], {
      input: 'FROM test/one\n',
      cwd: store.context('empty', {}),
    });
    const names = execFileSync('tar', ['-tf', out], { encoding: 'utf8' }).trim().split('\n');
    const expected = names.map((name) => `/${name.replace(/^\.?\/?/, '').replace(/\/$/, '')}`);
    expect(listed.sort()).toEqual(expected.filter((name) => name !== '/').sort());
    expect(await store.ok(['image', 'ls-files', 'test/one', '/d'])).toBe('/d\n/d/new\n');
    expect(await store.ok(['image', 'ls-files', '--layer=3', 'test/one', 'd'])).toBe(
      '/d\n/d/hard\n/d/small\n',
    );
    expect(await store.ok(['image', 'ls-files', '-z', 'test/one', '/abs'])).toBe('/abs\0');
    expect(await store.ok(['image', 'ls-files', '-l', 'test/one', '/abs'])).toMatch(
      /^lrwxrwxrwx 0:0 +0 \d{4}-\S+Z \/abs -> \/d\/new\n$/,
    );
    const absent = await store.run(['image', 'ls-files', 'test/one', '/nowhere']);
    expect(absent).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('no such file in test/one: /nowhere'),
    });
    const layer = await store.run(['image', 'ls-files', '--layer', '9', 'test/one']);
    expect(layer.stderr).toContain('The image has 4 layers');
  });

  it('image cat: a file, through links, byte for byte', async () => {
    expect(await store.ok(['image', 'cat', 'test/one', '/abs'])).toBe('three\n');
    expect(await store.ok(['image', 'cat', 'test/one', 'd/../d/./new'])).toBe('three\n');
    expect(await store.ok(['image', 'cat', 'test/one', '/again'])).toBe('\0'.repeat(1_000_001));
    const folder = await store.run(['image', 'cat', 'test/one', '/d']);
    expect(folder).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('/d is a directory, no file'),
    });
    const absent = await store.run(['image', 'cat', 'test/none', '/d']);
    expect(absent.stderr).toContain('No such image: test/none:latest');
  });
});
