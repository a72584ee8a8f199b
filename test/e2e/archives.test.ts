import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { archivesOfAllAges } from '../export/archive-ages.ts';
import { makeTar } from '../export/make-tar.ts';
import { describeWith, root } from '../support/need.ts';
import { suiteStore } from '../support/suite-store.ts';
import { slipwayInTerminal } from '../support/terminal.ts';

describeWith({ needs: [root()] }, 'archives on the command line', () => {
  const store = suiteStore();
  let folder: string;

  beforeAll(() => {
    folder = join(store.root, '..', 'files');
    mkdirSync(folder);
  });

  test('a directory is imported with owners, modes and links', async () => {
    const rootfs = join(folder, 'rootfs');
    mkdirSync(join(rootfs, 'bin'), { recursive: true });
    writeFileSync(join(rootfs, 'bin/tool'), 'x');
    chmodSync(join(rootfs, 'bin/tool'), 0o4755);
    symlinkSync('tool', join(rootfs, 'bin/link'));
    const id = (await store.ok(['import', '-c', 'CMD ["/bin/tool"]', rootfs, 'from/dir:1'])).trim();
    expect(await store.ok(['image', 'ls-files', '-l', 'from/dir:1'])).toMatch(
      /^drwxr-xr-x .* \/bin\n.*-> tool\n-rwsr-xr-x .* 1.* \/bin\/tool\n$/,
    );
    expect(await store.ok(['inspect', '-f', '{{.Id}} {{.Config.Cmd}}', 'from/dir:1'])).toBe(
      `${id} [/bin/tool]\n`,
    );
    writeFileSync(join(rootfs, '.wh.bin'), '');
    const refused = await store.run(['import', rootfs, 'from/dir:2']);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('.wh.bin') });
  });

  test('a repository is saved with all its tags, an id without names', async () => {
    await store.ok(['tag', 'test/base', 'many:b']);
    await store.ok(['tag', 'test/base', 'many:a']);
    const path = join(folder, 'many.tar');
    await store.ok(['save', '-o', path, 'many']);
    const manifest = (): { RepoTags: string[] | null }[] =>
      JSON.parse(execFileSync('tar', ['-xOf', path, 'manifest.json'], { encoding: 'utf8' }));
    expect(manifest().map(({ RepoTags }) => RepoTags)).toEqual([['many:a', 'many:b']]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await store.ok(['save', '-o', path, (await store.ok(['images', '-q', 'many:a'])).trim()]);
    expect(manifest().map(({ RepoTags }) => RepoTags)).toEqual([null]);
    expect(await store.run(['save', '-o', join(folder, 'none.tar'), 'many:a', 'absent'])).toMatchObject({
      exitCode: 1,
      stderr: 'Error: No such image: absent:latest\n',
    });
    expect(readdirSync(folder).filter((name) => name.includes('none'))).toEqual([]);
  });

  test('more layers than Docker takes are warned of', async () => {
    const ids = Array.from({ length: 127 }, (_, i) => i.toString(16).padStart(64, '0'));
    const layer = makeTar([{ path: 'x', content: 'x' }]);
    const parts = ids.flatMap((id, i) => [
      {
        path: `${id}/json`,
        content: JSON.stringify({ parent: ids[i - 1], architecture: 'amd64', os: 'linux' }),
      },
      { path: `${id}/layer.tar`, content: layer },
    ]);
    const names = { path: 'repositories', content: JSON.stringify({ deep: { 1: ids[126] } }) };
    expect(await store.ok(['load'], { input: makeTar([...parts, names]) })).toBe('Loaded image: deep:1\n');
    const saved = await store.run(['save', '-o', join(folder, 'deep.tar'), 'deep:1']);
    expect(saved).toMatchObject({
      exitCode: 0,
      stderr: 'WARNING: deep:1 has 127 layers: Docker loads no image of more than 125\n',
    });
    expect(await store.ok(['load', '-i', join(folder, 'deep.tar')])).toBe('Loaded image: deep:1\n');
    // All 127 images go with their last user.
    const removed = await store.ok(['rmi', 'deep:1']);
    expect(removed.split('\n').filter((line) => line.startsWith('Deleted: '))).not.toHaveLength(0);
    expect(await store.ok(['images', '-a', '-q', 'deep'])).toBe('');
    expect(await store.ok(['system', 'check'])).toBe('The store is whole.\n');
  });

  test('v1: parents are intermediate images, protected, in the history, gone with the last child', async () => {
    const path = join(folder, 'v1.tar');
    writeFileSync(path, archivesOfAllAges()[0]!.bytes);
    const before = await store.ok(['images', '-aq']);
    expect(await store.ok(['load', '-i', `docker-archive:${path}`])).toBe(
      'Loaded image: old.example/ships/boat:v1\n',
    );
    const history = (await store.ok(['history', '-q', '--no-trunc', 'old.example/ships/boat:v1']))
      .trim()
      .split('\n');
    expect(history).toEqual([expect.stringMatching(/^sha256:/), expect.stringMatching(/^sha256:/)]);
    expect(await store.ok(['images', '-q', '--no-trunc'])).not.toContain(history[1]);
    expect(await store.ok(['images', '-aq', '--no-trunc'])).toContain(history[1]);
    const refused = await store.run(['rmi', '-f', history[1]!]);
    expect(refused.stderr).toContain('(cannot be forced) - image has dependent child images');
    await store.ok(['image', 'prune', '-f']);
    expect(await store.ok(['images', '-aq', '--no-trunc'])).toContain(history[1]);
    await store.ok(['rmi', 'old.example/ships/boat:v1']);
    expect(await store.ok(['images', '-aq'])).toBe(before);
  });

  test('a terminal gets no archive, and gives none', async () => {
    const saved = await slipwayInTerminal(['save', 'test/base'], { root: store.root });
    expect(saved).toMatchObject({
      exitCode: 1,
      output: 'Error: cowardly refusing to save to a terminal. Use the -o flag or redirect\r\n',
    });
    const loaded = await slipwayInTerminal(['load'], { root: store.root });
    expect(loaded.exitCode).toBe(1);
    expect(loaded.output).toMatch(/^Error: requested load from stdin, but stdin is empty\r\n/);
  });

  test('what is there stays until the new archive is whole', async () => {
    const path = join(folder, 'kept.tar');
    writeFileSync(path, 'old');
    const failed = await store.run(['save', '-o', path, 'absent:1']);
    expect(failed.exitCode).toBe(1);
    expect(statSync(path).size).toBe(3);
    await store.ok(['save', '-o', path, 'test/base']);
    expect(execFileSync('tar', ['-tf', path], { encoding: 'utf8' })).toContain('manifest.json');
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(existsSync(join(folder, 'absent'))).toBe(false);
  });
});
