import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { leaveDirectory, pathIn } from '../../src/sys/own-directory.ts';
import { tempDir } from '../layer/support.ts';

const tree = (content: string): string => {
  const base = tempDir();
  mkdirSync(join(base, 'a'));
  writeFileSync(join(base, 'a/file'), content);
  return base;
};

it('lets a thread use short paths, and moves nobody else', async () => {
  const bases = [tree('one'), tree('two'), tree('three')];
  const before = process.cwd();
  const thread = new Worker(new URL('./own-directory-thread.ts', import.meta.url), { workerData: { bases } });
  const [seen] = (await once(thread, 'message')) as [unknown];
  expect(seen).toEqual({
    before,
    steps: bases.map((base, at) => ({
      path: 'a/file',
      content: ['one', 'two', 'three'][at],
      names: ['a'],
      cwd: base,
    })),
    missing: 'ENOENT',
    again: 'one',
    after: '/',
  });
  expect(process.cwd()).toBe(before);
});

it('gives whole paths where a thread has no directory of its own', () => {
  const before = process.cwd();
  expect([pathIn('/a/b', 'c/d'), pathIn('/a/b', ''), pathIn('/a\xc3', 'c')]).toEqual([
    '/a/b/c/d',
    '/a/b',
    Buffer.from('/a\xc3/c', 'latin1'),
  ]);
  leaveDirectory();
  expect(process.cwd()).toBe(before);
});
