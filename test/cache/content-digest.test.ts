import { describe, expect, it, test } from 'vitest';
import { type DigestOptions, digestSelection } from '../../src/cache/content-digest.ts';
import { selectSources } from '../../src/context/select.ts';
import { memoryTree } from '../context/memory-tree.ts';

type Files = Parameters<typeof memoryTree>[0];

async function digest(files: Files, sources = ['.'], options: DigestOptions = {}): Promise<string> {
  const tree = memoryTree(files);
  return await digestSelection(tree, await selectSources(tree, { sources, where: 'x' }), options);
}

const base: Files = { 'd/a': 'one', 'd/b': { content: 'two', mode: 0o600, uid: 5, gid: 6 }, 'd/l': '-> a' };

describe('what counts', () => {
  test.each<[name: string, files: Files]>([
    ['content', { ...base, 'd/a': 'ONE' }],
    ['a name', { 'd/A': 'one', 'd/b': base['d/b']!, 'd/l': '-> a' }],
    ['a file more', { ...base, 'd/c': '' }],
    ['an empty directory more', { ...base, 'd/e/': '' }],
    ['the mode', { ...base, 'd/b': { content: 'two', mode: 0o601, uid: 5, gid: 6 } }],
    ['setuid', { ...base, 'd/b': { content: 'two', mode: 0o4600, uid: 5, gid: 6 } }],
    ['the owner', { ...base, 'd/b': { content: 'two', mode: 0o600, uid: 0, gid: 6 } }],
    ['the group', { ...base, 'd/b': { content: 'two', mode: 0o600, uid: 5, gid: 0 } }],
    ['a link text', { ...base, 'd/l': '-> b' }],
    ['a link become a file', { ...base, 'd/l': 'one' }],
    ['an attribute', { ...base, 'd/a': { content: 'one', xattrs: new Map([['user.a', Buffer.from('1')]]) } }],
    ['the mode of a directory', { ...base, 'd/': { mode: 0o700 } }],
    ['a FIFO', { ...base, 'd/a': { type: 'fifo' } }],
  ])('%s', async (_name, files) => {
    expect(await digest(files)).not.toBe(await digest(base));
  });

  it('device numbers', async () => {
    const device = (major: number, minor: number) => digest({ x: { type: 'char', major, minor } });
    expect(new Set([await device(1, 2), await device(2, 1), await device(1, 3)]).size).toBe(3);
  });

  it('values of attributes, not their order', async () => {
    const with_ = (pairs: [string, string][]) =>
      digest({ x: { xattrs: new Map(pairs.map(([name, value]) => [name, Buffer.from(value)])) } });
    const one = await with_([
      ['user.a', '1'],
      ['user.b', '2'],
    ]);
    expect(
      await with_([
        ['user.b', '2'],
        ['user.a', '1'],
      ]),
    ).toBe(one);
    expect(
      await with_([
        ['user.a', '2'],
        ['user.b', '1'],
      ]),
    ).not.toBe(one);
    expect(
      await with_([
        ['user.a', '1user.b'],
        ['', '2'],
      ]),
    ).not.toBe(one);
  });

  it('which names are one file', async () => {
    const same = await digest({ a: { content: 'x', inode: '1:1' }, b: { content: 'x', inode: '1:1' } });
    const other = await digest({ a: { content: 'x', inode: '1:7' }, b: { content: 'x', inode: '1:7' } });
    const apart = await digest({ a: { content: 'x', inode: '1:1' }, b: { content: 'x', inode: '1:2' } });
    expect(other).toBe(same);
    expect(apart).not.toBe(same);
    // With the other name not selected it is a file like any other.
    const files = { 'd/a': { content: 'x', inode: '1:1' }, 'e/b': { content: 'x', inode: '1:1' } };
    expect(await digest(files, ['d'])).toBe(await digest({ 'd/a': 'x' }, ['d']));
  });

  it('the order and the names of file sources', async () => {
    const files = { a: 'x', b: 'y', 'd/a': 'x', 'd/b': 'y' };
    expect(await digest(files, ['a', 'b'])).not.toBe(await digest(files, ['b', 'a']));
    expect(await digest(files, ['a'])).toBe(await digest(files, ['d/a']));
    expect(await digest({ ...files, c: 'x' }, ['a'])).not.toBe(await digest({ ...files, c: 'x' }, ['c']));
  });
});

describe('what does not count', () => {
  it('times, and inode numbers', async () => {
    expect(await digest({ ...base, 'd/a': { content: 'one', mtimeNs: 99n } })).toBe(await digest(base));
  });

  it('where a directory lay, what it was called, its own mode and time', async () => {
    const one = await digest({ 'd/a': 'x' }, ['d']);
    expect(await digest({ 'e/f/': { mode: 0o700, uid: 9, mtimeNs: 5n }, 'e/f/a': 'x' }, ['e/f'])).toBe(one);
  });

  it('owners with --chown, modes with --chmod', async () => {
    const owner = { ...base, 'd/b': { content: 'two', mode: 0o600, uid: 1, gid: 1 } };
    const mode = { ...base, 'd/b': { content: 'two', mode: 0o755, uid: 5, gid: 6 } };
    expect(await digest(owner, ['.'], { ignoreOwner: true })).toBe(
      await digest(base, ['.'], { ignoreOwner: true }),
    );
    expect(await digest(mode, ['.'], { ignoreMode: true })).toBe(
      await digest(base, ['.'], { ignoreMode: true }),
    );
    expect(await digest(mode, ['.'], { ignoreOwner: true })).not.toBe(
      await digest(base, ['.'], { ignoreOwner: true }),
    );
    expect(await digest(base, ['.'], { ignoreOwner: true })).not.toBe(await digest(base));
  });
});

it('is the same from one version to the next', async () => {
  expect(await digest(base)).toMatchInlineSnapshot(
    `"7a77aeabe95e48fe0fdbd6bc61992d0f36baaf4d602e4af78bffeec9a942b851"`,
  );
  expect(await digest({}, ['none*'])).toMatchInlineSnapshot(
    `"93d62b071a5dedf512ecd763c85ab0c584f86fde8563df9b5f67da5468c51790"`,
  );
});
