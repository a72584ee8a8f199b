import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { hashInThread } from '../../src/execute/worker/hash-thread.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import { tempDir } from '../layer/support.ts';
import { testWith } from '../support/need.ts';

const never = () => false;

/** Small files, one of several pieces that ends at the end of one, an empty one, two names of one inode. */
function makeTree(): string {
  const dir = tempDir();
  fs.mkdirSync(join(dir, 'many'));
  for (let file = 0; file < 500; file++)
    fs.writeFileSync(join(dir, 'many', `f${file}`), randomBytes((file * 37) % 5000));
  fs.writeFileSync(join(dir, 'large'), randomBytes(40 << 20));
  fs.writeFileSync(join(dir, 'odd'), randomBytes(3_333_333));
  fs.writeFileSync(join(dir, 'empty'), '');
  fs.linkSync(join(dir, 'odd'), join(dir, 'other'));
  return dir;
}

const needs = [() => (availableParallelism() > 1 ? undefined : 'there is one processor')];

testWith({ needs }, 'a thread gives the digests that the reader alone gives', () => {
  const dir = makeTree();
  for (const keepStates of [true, false, true]) {
    const hash = hashInThread(keepStates, never)!;
    expect(hashLayer(dir, { keepStates, hash })).toEqual(hashLayer(dir, { keepStates }));
  }
});

testWith({ needs }, 'an archive that is given up leaves nothing for the next', () => {
  const dir = makeTree();
  let looks = 0;
  const aborted = () => ++looks > 5;
  expect(() => hashLayer(dir, { hash: hashInThread(false, aborted)!, aborted })).toThrow('canceled');
  const hash = hashInThread(true, never)!;
  expect(hashLayer(dir, { keepStates: true, hash })).toEqual(hashLayer(dir, { keepStates: true }));
});
