import { existsSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KeptSources } from '../../src/context/kept/kept-sources.ts';
import { suiteFolder } from '../support/folders.ts';

const folder = suiteFolder('shared');
const open = (limit?: number): { kept: KeptSources; root: string } => {
  const root = mkdtempSync(join(folder.path, 'kept-'));
  return { kept: new KeptSources({ root, ...(limit === undefined ? {} : { limit }) }), root };
};
const fill =
  (bytes: number) =>
  async (directory: string): Promise<void> =>
    writeFileSync(join(directory, 'f'), Buffer.alloc(bytes));

test('an entry is made once, by one of those who want it, and read by all', async () => {
  const { kept } = open();
  let made = 0;
  const make = async (directory: string): Promise<void> => {
    made++;
    await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(join(directory, 'f'), 'content');
  };
  const entries = await Promise.all([1, 2, 3, 4].map(() => kept.obtain('file', 'a', make)));
  expect([made, new Set(entries.map(({ directory }) => readFileSync(join(directory, 'f'), 'utf8')))]).toEqual(
    [1, new Set(['content'])],
  );
  kept.close();
  const again = await kept.obtain('file', 'a', make);
  expect([made, kept.has('file', 'a')]).toEqual([1, true]);
  again.release();
});

test('one that cannot be made leaves nothing, and the next tries again', async () => {
  const { kept, root } = open();
  const failing = kept.obtain('tree', 'a', async (directory) => {
    writeFileSync(join(directory, 'half'), '');
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(readdirSync(join(root, 'tree'))).toEqual([]);
  const entry = await kept.obtain('tree', 'a', fill(1));
  expect(readdirSync(entry.directory)).toEqual(['f']);
});

test('what a killed process left half done is made anew', async () => {
  const { kept, root } = open();
  const first = await kept.obtain('tree', 'a', fill(3));
  kept.close();
  // As it looks before the last step.
  const { rmSync } = await import('node:fs');
  rmSync(join(root, 'tree/a/whole'));
  writeFileSync(join(first.directory, 'rest'), '');
  const entry = await kept.obtain('tree', 'a', fill(1));
  expect(readdirSync(entry.directory)).toEqual(['f']);
});

test('an exclusive entry is for one at a time', async () => {
  const { kept } = open();
  const first = await kept.hold('repository', 'r');
  let got = false;
  const second = kept.hold('repository', 'r').then((entry) => {
    got = true;
    return entry;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(got).toBe(false);
  first.release();
  expect((await second).directory).toBe(first.directory);
  const controller = new AbortController();
  const third = kept.hold('repository', 'r', controller.signal);
  controller.abort();
  await expect(third).rejects.toMatchObject({ kind: 'canceled' });
});

test('what was used longest ago goes when there is too much, but nothing that is in use', async () => {
  const { kept, root } = open(250);
  const names = (): string[] => ['a', 'b', 'c'].filter((name) => existsSync(join(root, 'file', name)));
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    (await kept.obtain('file', name, fill(100))).release();
    utimesSync(join(root, `file/${name}.lock`), index, index);
  }
  kept.close();
  expect(names()).toEqual(['b', 'c']);
  const other = new KeptSources({ root, limit: 0 });
  const used = await kept.obtain('file', 'b', fill(100));
  (await other.obtain('file', 'd', fill(1))).release();
  other.close();
  expect(readdirSync(join(root, 'file'))).toEqual(['b', 'b.lock']);
  used.release();
});
