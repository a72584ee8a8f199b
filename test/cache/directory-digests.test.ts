import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestSelection } from '../../src/cache/content-digest.ts';
import { openDirectoryContext } from '../../src/context/directory-context.ts';
import type { FileTree } from '../../src/context/file-tree.ts';
import { selectSources } from '../../src/context/select.ts';

import { memoryTree } from '../context/memory-tree.ts';
import { suiteFolder } from '../support/folders.ts';

const FILES = {
  'a/x': '1',
  'a/b/y': '2',
  'a/b/c/z': '3',
  'd/w': '4',
};

const folder = suiteFolder('shared');

const digestOf = async (
  tree: FileTree,
  sources: string[],
  more: { exclude?: string[]; parents?: boolean } = {},
): Promise<string> => digestSelection(tree, await selectSources(tree, { sources, where: 'x', ...more }));

test('a directory that was digested as part of another is not digested again', async () => {
  const tree = memoryTree(FILES);
  const read: string[] = [];
  const watched: FileTree = {
    ...tree,
    sha256: (path) => {
      read.push(path);
      return tree.sha256(path);
    },
  };
  const all = await digestOf(watched, ['.']);
  expect(read.splice(0).sort()).toEqual(['a/b/c/z', 'a/b/y', 'a/x', 'd/w']);
  expect(await digestOf(watched, ['.'])).toBe(all);
  expect(await digestOf(watched, ['a/b'])).toBe(await digestOf(memoryTree(FILES), ['a/b']));
  expect(read).toEqual([]);
});

test('a selection that leaves out nothing is that of the whole', async () => {
  const whole = await digestOf(memoryTree(FILES), ['.']);
  expect(await digestOf(memoryTree(FILES), ['.'], { exclude: ['nothing'] })).toBe(whole);
  const without = { 'a/x': '1', 'a/b/c/z': '3', 'd/w': '4' };
  expect(await digestOf(memoryTree(FILES), ['.'], { exclude: ['a/b/y'] })).toBe(
    await digestOf(memoryTree(without), ['.']),
  );
});

test('what is left out of a folder counts, wherever the folder lies', async () => {
  for (const source of ['a', 'a/b', '.']) {
    const left = ['nothing', '**/y', '**/z', '**/x'].map((pattern) =>
      digestOf(memoryTree(FILES), [source], { exclude: [pattern] }),
    );
    const inside = source === 'a/b' ? left.slice(0, 3) : left;
    expect(new Set(await Promise.all(inside)).size, source).toBe(inside.length);
    expect(await left[0]).toBe(await digestOf(memoryTree(FILES), [source]));
  }
});

test('COPY of a subtree looks at nothing else', async () => {
  const root = folder.path;
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  const looked: string[] = [];
  const context = openDirectoryContext({
    root,
    readXattrs: (path) => {
      looked.push(path.slice(root.length + 1));
      return undefined;
    },
  });
  await digestOf(context.tree, ['a/b']);
  expect(looked.sort()).toEqual(['a', 'a/b', 'a/b/c', 'a/b/c/z', 'a/b/y']);
});
