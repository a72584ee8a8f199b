import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, test } from 'vitest';
import { isLasting } from '../../src/context/file-clock.ts';
import { openFingerprintIndex } from '../../src/context/fingerprint-index.ts';
import { type Fingerprint, FingerprintList } from '../../src/context/fingerprint-list.ts';
import type { Known } from '../../src/context/fingerprint-table.ts';

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'fingerprint-index-'));
afterAll(() => fs.rmSync(work, { recursive: true }));
let count = 0;
/** The index as the tests talk to it: one fingerprint at a time. */
function openIndex(file: string) {
  const index = openFingerprintIndex(file);
  return {
    find(print: Fingerprint): Known | undefined {
      const list = new FingerprintList();
      list.add({ ...print, ino: 1n });
      const found = index.find(list, list.add(print));
      return found && { sha256: found.sha256, xattrs: found.xattrs };
    },
    remember: (print: Fingerprint, known: Known, lasting: boolean) =>
      index.remember({ print, known }, lasting),
    save: () => index.save(),
  };
}
const freshFile = (): string => path.join(work, 'sub', `${count++}.index`);

const print: Fingerprint = { dev: 1n, ino: 2n, size: 3n, mtimeNs: 4n, ctimeNs: 5n, mode: 0o100644n };
const known: Known = { sha256: 'ab'.repeat(32), xattrs: undefined };

it('finds after a save what was remembered, and nothing else', () => {
  const sixtyFour = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const time = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n });
  const record = fc.record({
    print: fc.record({
      dev: fc.oneof(fc.constant(7n), sixtyFour),
      ino: fc.oneof(fc.bigInt({ min: 1n, max: 20n }), sixtyFour),
      size: sixtyFour,
      mtimeNs: time,
      ctimeNs: time,
      mode: fc.bigInt({ min: 0n, max: 0xffffn }),
    }),
    known: fc.record({
      sha256: fc.option(
        fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
        {
          nil: undefined,
        },
      ),
      xattrs: fc.option(
        fc
          .array(
            fc.tuple(
              fc.string({ minLength: 1 }),
              fc.uint8Array().map((bytes) => Buffer.from(bytes)),
            ),
            { minLength: 1 },
          )
          .map((pairs) => new Map(pairs)),
        { nil: undefined },
      ),
    }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40 }), fc.array(record, { maxLength: 10 }), (first, second) => {
      const file = freshFile();
      const latest = new Map<string, (typeof first)[number]>();
      for (const batch of [first, second]) {
        const index = openIndex(file);
        for (const one of batch) {
          index.remember(one.print, one.known, true);
          latest.set(`${one.print.dev}:${one.print.ino}`, one);
        }
        index.save();
      }
      const index = openIndex(file);
      for (const { print, known } of latest.values()) {
        const found = index.find(print);
        expect({ sha256: found?.sha256, xattrs: found?.xattrs }).toEqual(known);
      }
      expect(index.find({ ...print, ino: 2n ** 40n })).toBeUndefined();
    }),
  );
});

test.each<[keyof Fingerprint, bigint]>([
  ['dev', 9n],
  ['ino', 9n],
  ['size', 9n],
  ['mtimeNs', 9n],
  ['ctimeNs', 9n],
  ['mode', 0o100755n],
])('does not know a file whose %s differs', (field, value) => {
  const file = freshFile();
  const index = openIndex(file);
  index.remember(print, known, true);
  index.save();
  for (const one of [index, openIndex(file)]) {
    expect(one.find(print)).toMatchObject(known);
    expect(one.find({ ...print, [field]: value })).toBeUndefined();
  }
});

it('keeps what is not lasting for this run only', () => {
  const file = freshFile();
  const index = openIndex(file);
  index.remember(print, known, false);
  expect(index.find(print)).toMatchObject(known);
  index.save();
  expect(fs.existsSync(file)).toBe(false);
});

it('forgets a record when a newer one of the same inode is not lasting', () => {
  const file = freshFile();
  const index = openIndex(file);
  index.remember(print, known, true);
  index.remember({ ...print, ino: 77n }, known, true);
  index.save();
  const second = openIndex(file);
  second.remember({ ...print, ctimeNs: 9n }, known, false);
  second.remember({ ...print, ino: 78n }, known, true);
  second.save();
  const third = openIndex(file);
  expect([third.find(print), third.find({ ...print, ctimeNs: 9n })]).toEqual([undefined, undefined]);
  expect(third.find({ ...print, ino: 77n })).toMatchObject(known);
});

describe('a file that cannot be trusted is empty', () => {
  const good = (): string => {
    const file = freshFile();
    const index = openIndex(file);
    for (let ino = 1n; ino < 50n; ino++)
      index.remember({ ...print, ino }, { ...known, xattrs: new Map([['user.a', Buffer.from('x')]]) }, true);
    index.save();
    return file;
  };
  test.each<[string, (file: string) => unknown]>([
    ['empty', (file) => fs.writeFileSync(file, '')],
    ['text', (file) => fs.writeFileSync(file, 'x'.repeat(5000))],
    ['cut short', (file) => fs.truncateSync(file, fs.statSync(file).size - 1)],
    ['longer', (file) => fs.appendFileSync(file, 'x')],
    ['of another version', (file) => patch(file, 4, 99)],
    ['with another count', (file) => patch(file, 8, 50)],
    ['a directory', (file) => [fs.rmSync(file), fs.mkdirSync(file)]],
    ['a link', (file) => [fs.renameSync(file, `${file}.real`), fs.symlinkSync(`${file}.real`, file)]],
  ])('%s', (_name, damage) => {
    const file = good();
    expect(openIndex(file).find({ ...print, ino: 1n })?.sha256).toBe(known.sha256);
    damage(file);
    expect(openIndex(file).find({ ...print, ino: 1n })).toBeUndefined();
  });

  it('any flipped bit of the body', () => {
    const file = good();
    const bytes = fs.readFileSync(file);
    fc.assert(
      fc.property(
        fc.integer({ min: 32, max: bytes.length - 1 }),
        fc.integer({ min: 0, max: 7 }),
        (at, bit) => {
          const damaged = Buffer.from(bytes);
          damaged[at] = damaged[at]! ^ (1 << bit);
          fs.writeFileSync(file, damaged);
          const index = openIndex(file);
          for (let ino = 1n; ino < 50n; ino++) expect(index.find({ ...print, ino })).toBeUndefined();
        },
      ),
      { numRuns: 50 },
    );
  });

  function patch(file: string, at: number, value: number): void {
    const bytes = fs.readFileSync(file);
    bytes.writeUInt32LE(value, at);
    fs.writeFileSync(file, bytes);
  }
});

it('gives up quietly where it cannot be written, and leaves nothing behind', () => {
  const file = path.join(work, 'plain', 'x.index');
  fs.writeFileSync(path.join(work, 'plain'), '');
  const index = openIndex(file);
  index.remember(print, known, true);
  index.save();
  const directory = path.join(work, 'sub', 'taken.index');
  fs.mkdirSync(path.join(directory, 'x'), { recursive: true });
  const other = openIndex(directory);
  other.remember(print, known, true);
  other.save();
  expect(fs.readdirSync(path.join(work, 'sub')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

// Times in milliseconds; reading began at 10,000 seconds.
test.each<[name: string, mtime: number, ctime: number, tick: number, lasting: boolean]>([
  ['written long before', 1_000.5, 1_000.5, 20, true],
  ['written just before', 9_999_999.5, 9_999_999.5, 20, false],
  ['a tick before', 9_999_980, 9_999_980, 20, false],
  ['more than a tick before', 9_999_979.5, 9_999_979.5, 20, true],
  ['attributes changed just before', 1_000.5, 9_999_999.5, 20, false],
  ['written in the future', 11_000_000.5, 1_000.5, 20, false],
  ['whole seconds only, a second before', 9_999_000, 9_999_000, 20, false],
  ['whole seconds only, three seconds before', 9_997_000, 9_997_000, 20, true],
  ['a coarse clock, two seconds before', 9_998_000.5, 9_998_000.5, 3000, false],
])('%s', (_name, mtime, ctime, tick, lasting) => {
  const ns = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1e6));
  const one = { ...print, mtimeNs: ns(mtime), ctimeNs: ns(ctime) };
  expect(isLasting(one, ns(10_000_000), ns(tick))).toBe(lasting);
});
