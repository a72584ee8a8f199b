import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeHashStates, encodeHashStates } from '../../src/layer/hash-states.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import { tempDir } from './support.ts';

/** 40 folders of 20 files, 1.6 MB. */
function makeTree(): string {
  const dir = tempDir();
  for (let folder = 10; folder < 50; folder++) {
    fs.mkdirSync(join(dir, `d${folder}`));
    for (let file = 0; file < 20; file++)
      fs.writeFileSync(join(dir, `d${folder}`, `f${file}`), randomBytes(2000));
  }
  fs.writeFileSync(join(dir, '.first'), 'first');
  fs.chmodSync(dir, 0o755);
  return dir;
}

/** A directory over `below` as a delta leaves it, and one that holds everything. */
function change(below: string, work: (dir: string) => void): { delta: string; whole: string } {
  const [delta, whole] = [tempDir(), tempDir()];
  execFileSync('cp', ['-a', `${below}/.`, whole]);
  fs.chmodSync(delta, 0o755);
  work(whole);
  work(delta);
  // Of a directory that is not root's the archive has an entry too.
  for (const dir of [delta, whole]) fs.utimesSync(dir, 1000, 1000);
  return { delta, whole };
}

const write = (path: string, text: string) => (dir: string) => {
  fs.mkdirSync(join(dir, path, '..'), { recursive: true });
  fs.writeFileSync(join(dir, path), text);
  for (let at = path; at !== '.'; at = join(at, '..')) fs.utimesSync(join(dir, at), 1000, 1000);
};

const below = makeTree();
for (const name of fs.readdirSync(below)) fs.utimesSync(join(below, name), 1000, 1000);
fs.utimesSync(below, 1000, 1000);
const { entries, states } = hashLayer(below, { keepStates: true });

test.each([
  ['a late file', write('d48/f3', 'other')],
  ['a file at the end', write('z', 'new')],
  ['a directory at the end', (dir: string) => fs.mkdirSync(join(dir, 'zz'))],
  ['the first file', write('.first', 'other')],
  ['a new first file', write('.a', 'new')],
  ['a file in the middle', write('d30/f0', 'other')],
])('%s of a delta: the digest of the whole', (_, work) => {
  const { delta, whole } = change(below, work);
  const expected = hashLayer(whole, { keepStates: true });
  const got = hashLayer(delta, {
    below: [below],
    listingBelow: entries,
    statesBelow: states,
    keepStates: true,
  });
  expect(got).toEqual(expected);
  // States that were taken over serve as well as those of the whole.
  const again = hashLayer(delta, {
    below: [below],
    listingBelow: got.entries,
    statesBelow: got.states,
    keepStates: true,
  });
  expect(again.diffId).toBe(expected.diffId);
});

test('what is equal at the beginning is not read', () => {
  const { delta, whole } = change(below, write('d48/f3', 'other'));
  const aside = join(tempDir(), 'd10');
  fs.renameSync(join(below, 'd10'), aside);
  fs.mkdirSync(join(below, 'd10'));
  try {
    const { diffId } = hashLayer(delta, {
      below: [below],
      listingBelow: entries,
      statesBelow: states,
      keepStates: true,
    });
    expect(diffId).toBe(hashLayer(whole).diffId);
  } finally {
    fs.rmdirSync(join(below, 'd10'));
    fs.renameSync(aside, join(below, 'd10'));
  }
});

test('states outlive the process; damaged ones are none', () => {
  const bytes = encodeHashStates(states);
  expect(decodeHashStates(bytes)).toEqual(states);
  expect(states.length).toBeGreaterThan(4);
  for (const at of [0, 4, 20, bytes.length - 1]) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    expect(decodeHashStates(damaged)).toBeUndefined();
  }
  expect(decodeHashStates(bytes.subarray(0, 10))).toBeUndefined();
  expect(decodeHashStates(Buffer.alloc(0))).toBeUndefined();
});
