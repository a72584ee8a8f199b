import { hash, randomBytes } from 'node:crypto';
import { fstatSync, ftruncateSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CopyFileOptions, copyFileContent } from '../../../src/execute/copy/copy-file.ts';
import { loadSys } from '../../../src/sys/linux.ts';
import { suiteFolder } from '../../support/folders.ts';

const folder = suiteFolder('big');
const sha256 = (data: Buffer): string => hash('sha256', data, 'hex');

/** What FICLONE does, for file systems that cannot. */
const share = (output: number, input: number): boolean => {
  const data = Buffer.alloc(fstatSync(input).size);
  readSync(input, data, 0, data.length, 0);
  ftruncateSync(output, 0);
  writeSync(output, data, 0, data.length, 0);
  return true;
};

const copy = (data: Buffer, expected: Buffer, options: CopyFileOptions): string => {
  const name = Math.random().toString(36);
  const [from, to] = [join(folder.path, name), join(folder.path, `${name}-copy`)];
  writeFileSync(from, data);
  copyFileContent(from, to, { sha256: sha256(expected), size: expected.length }, options);
  return to;
};

test('blocks are shared where that can be, from the size on at which it pays', () => {
  const data = randomBytes(200_000);
  const shared: number[] = [];
  const watched = (output: number, input: number): boolean => {
    shared.push(fstatSync(input).size);
    return share(output, input);
  };
  expect(readFileSync(copy(data, data, { share: watched }))).toEqual(data);
  expect(readFileSync(copy(data.subarray(0, 1000), data.subarray(0, 1000), { share: watched }))).toEqual(
    data.subarray(0, 1000),
  );
  expect(shared).toEqual([200_000]);
  expect(readFileSync(copy(data, data, { share: () => false }))).toEqual(data);
});

test('shared or not, the content is verified', () => {
  const data = randomBytes(200_000);
  const other = Buffer.from(data);
  other[100_000]! ^= 1;
  for (const options of [{ share }, {}])
    for (const found of [other, data.subarray(0, 150_000), Buffer.concat([data, data])])
      expect(() => copy(found, data, options)).toThrow(/changed while it was being copied/);
});

test('by the kernel, on whatever file system this is', () => {
  const data = randomBytes(2_000_000);
  const sys = loadSys();
  expect(readFileSync(copy(data, data, { share: (out, input) => sys.reflink(out, input) }))).toEqual(data);
});
