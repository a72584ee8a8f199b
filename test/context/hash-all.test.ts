import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ContextSource } from '../../src/context/context-source.ts';
import { openDirectoryContext } from '../../src/context/directory-context.ts';
import { selectSources } from '../../src/context/select.ts';
import { tempDir } from '../layer/support.ts';

const FILES = 3500;

let root: string;
let context: ContextSource;
const names = Array.from({ length: FILES }, (_, at) => `d${at % 50}/f${at}`);
const contentOf = (name: string): string => `${name}\n`.repeat(name.length);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

beforeEach(() => {
  root = tempDir();
  for (let at = 0; at < 50; at++) fs.mkdirSync(join(root, `d${at}`));
  for (const name of names) fs.writeFileSync(join(root, name), contentOf(name));
  context = openDirectoryContext({ root });
  for (const name of names) context.tree.lstat(name);
  context.tree.expectDigests!(names);
});

afterEach(() => context.close());

it('hashes many files, each once and in its place', async () => {
  const expected = names.map((name) => sha256(contentOf(name)));
  expect(await context.tree.sha256All!(names)).toEqual(expected);
  // They are known now: what happens to a file is no longer looked at.
  fs.rmSync(join(root, 'd7'), { recursive: true });
  expect(await context.tree.sha256All!(names)).toEqual(expected);
});

it.skipIf(availableParallelism() === 1)('begins before it is asked', async () => {
  const expected = names.map((name) => sha256(contentOf(name)));
  const first = context.tree.lstat(names[0]!)!;
  await vi.waitFor(() => expect(first.known?.sha256).toBe(expected[0]), 10_000);
  // Nobody looks at the file again.
  fs.rmSync(join(root, names[0]!));
  expect(await context.tree.sha256All!(names)).toEqual(expected);
});

it('can be closed while it is at it', async () => {
  const again = openDirectoryContext({ root });
  again.tree.expectDigests!(names);
  again.close();
  expect(await context.tree.sha256All!(names)).toHaveLength(FILES);
});

it.each([
  ['longer', (path: string) => fs.appendFileSync(path, 'more')],
  ['gone', (path: string) => fs.rmSync(path)],
  [
    'a link to the same',
    (path: string) => {
      fs.renameSync(path, `${path}.real`);
      fs.symlinkSync(`${path}.real`, path);
    },
  ],
])('fails for a file that is %s by now, wherever it is in the list', async (_, change) => {
  for (const at of [0, 700, FILES - 1]) {
    const again = openDirectoryContext({ root });
    for (const name of names) if (fs.existsSync(join(root, name))) again.tree.lstat(name);
    again.tree.expectDigests!(names);
    const name = names[at]!;
    change(join(root, name));
    await expect(again.tree.sha256All!(names)).rejects.toMatchObject({
      kind: 'changed',
      message: expect.stringContaining(name) as string,
    });
    again.close();
    fs.rmSync(join(root, name), { force: true });
    fs.writeFileSync(join(root, name), contentOf(name));
  }
});

it('stops when it is canceled', async () => {
  const abort = new AbortController();
  const hashing = context.tree.sha256All!(names, abort.signal);
  abort.abort();
  await expect(hashing).rejects.toMatchObject({ kind: 'canceled' });
});

it.each([
  ['one directory', ['.']],
  ['many directories', names.slice(0, 50).map((name) => name.split('/')[0]!)],
  ['directories that a wildcard matches', ['d*']],
  ['files that a wildcard matches', ['d*/f*']],
])('is foretold once where there are many files that nobody has read: %s', async (_, sources) => {
  let calls = 0;
  const request = { sources, where: 'x', onNewFiles: () => void calls++ };
  // Of the other one a thread is reading files already.
  const fresh = openDirectoryContext({ root });
  await selectSources(fresh.tree, request);
  expect(calls).toBe(1);
  await fresh.tree.sha256All!(names);
  await selectSources(fresh.tree, request);
  await selectSources(openDirectoryContext({ root }).tree, { ...request, sources: ['d1'] });
  expect(calls).toBe(1);
  fresh.close();
});
