import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Fingerprint, FingerprintList } from '../../src/context/fingerprint-list.ts';
import { LearnedFingerprints } from '../../src/context/learned-fingerprints.ts';

/** Few inodes, of which some differ in the device or in the upper half of their number only. */
const print = fc.record({
  dev: fc.constantFrom(1n, 2n, 1n << 40n),
  ino: fc.bigInt({ min: 0n, max: 40n }).chain((low) => fc.constantFrom(low, low | (1n << 32n), low << 32n)),
  size: fc.bigInt({ min: 0n, max: 3n }),
  mtimeNs: fc.bigInt({ min: -(1n << 62n), max: 1n << 62n }),
  ctimeNs: fc.bigInt({ min: 0n, max: 1n << 62n }),
  mode: fc.constantFrom(0o100644n, 0o40755n),
});

it('knows of each inode what was learned last', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(print, fc.boolean()), { maxLength: 2000, size: 'max' }), (records) => {
      const learned = new LearnedFingerprints();
      const model = new Map<string, { print: Fingerprint; sha256: string; lasting: boolean }>();
      for (const [index, [one, lasting]] of records.entries()) {
        learned.add(one, { sha256: String(index), xattrs: undefined }, lasting);
        model.set(`${one.dev}:${one.ino}`, { print: one, sha256: String(index), lasting });
      }
      expect(learned.length).toBe(model.size);
      const list = new FingerprintList();
      for (const expected of model.values()) {
        const row = list.add(expected.print);
        const found = learned.rowOf(list.halves, row * 12);
        expect({
          print: learned.prints.get(found),
          sha256: learned.known[found]!.sha256,
          lasting: learned.isLasting(found),
          same: learned.prints.isSame(found, list, row),
        }).toEqual({ ...expected, same: true });
      }
      const other = list.add({ dev: 7n, ino: 1n, size: 0n, mtimeNs: 0n, ctimeNs: 0n, mode: 0n });
      expect(learned.rowOf(list.halves, other * 12)).toBe(-1);
    }),
    { numRuns: 50 },
  );
});

it('keeps many', () => {
  const learned = new LearnedFingerprints();
  const list = new FingerprintList();
  for (let ino = 0n; ino < 5000n; ino++) {
    const one = { dev: 1n, ino: ino * 7n, size: ino, mtimeNs: 0n, ctimeNs: 0n, mode: 0n };
    learned.add(one, { sha256: undefined, xattrs: undefined }, true);
    list.add(one);
  }
  const rows = Array.from({ length: 5000 }, (_, row) => learned.rowOf(list.halves, row * 12));
  expect(rows).toEqual(Array.from({ length: 5000 }, (_, row) => row));
});
