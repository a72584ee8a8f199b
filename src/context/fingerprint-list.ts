/** Stat data that changes whenever a file's content, mode or extended attributes change. */
export interface Fingerprint {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  mode: bigint;
}

/** Eight-byte words of a fingerprint. */
export const FINGERPRINT_WORDS = 6;

/**
 * Many fingerprints in one typed array, by row: twenty thousand objects of six bigints each would keep the garbage
 * collector busier than the walk itself.
 */
export class FingerprintList {
  words = new BigUint64Array(FINGERPRINT_WORDS * 256);
  /** The same memory; comparing halves makes no bigints. */
  halves = new Uint32Array(this.words.buffer);
  length = 0;

  /** A list of the rows of another. */
  static of(words: BigUint64Array<ArrayBuffer>): FingerprintList {
    const list = new FingerprintList();
    list.words = words;
    list.halves = new Uint32Array(words.buffer);
    list.length = words.length / FINGERPRINT_WORDS;
    return list;
  }

  /** @returns the row */
  add(print: Fingerprint): number {
    const at = this.length * FINGERPRINT_WORDS;
    if (at === this.words.length) {
      const { words } = this;
      this.words = new BigUint64Array(words.length * 2);
      this.words.set(words);
      this.halves = new Uint32Array(this.words.buffer);
    }
    const { words } = this;
    words[at] = print.dev;
    words[at + 1] = print.ino;
    words[at + 2] = print.size;
    words[at + 3] = print.mtimeNs;
    words[at + 4] = print.ctimeNs;
    words[at + 5] = print.mode;
    return this.length++;
  }

  /** Takes the last row to the place of another one. */
  moveLast(row: number): void {
    const last = --this.length * FINGERPRINT_WORDS;
    this.words.copyWithin(row * FINGERPRINT_WORDS, last, last + FINGERPRINT_WORDS);
  }

  /** Whether a row is exactly one of another list. */
  isSame(row: number, other: FingerprintList, otherRow: number): boolean {
    const [at, from] = [row * FINGERPRINT_WORDS * 2, otherRow * FINGERPRINT_WORDS * 2];
    for (let half = 0; half < FINGERPRINT_WORDS * 2; half++)
      if (this.halves[at + half] !== other.halves[from + half]) return false;
    return true;
  }

  get(row: number): Fingerprint {
    const { words } = this;
    const at = row * FINGERPRINT_WORDS;
    return {
      dev: words[at]!,
      ino: words[at + 1]!,
      size: words[at + 2]!,
      mtimeNs: BigInt.asIntN(64, words[at + 3]!),
      ctimeNs: BigInt.asIntN(64, words[at + 4]!),
      mode: words[at + 5]!,
    };
  }
}

/** Where an inode goes by the lower half of its number: these are often consecutive, so they are spread. */
export function hashInode(low: number): number {
  return Math.imul(low, 0x9e3779b1) >>> 7;
}

/** Whether two looks at a file saw the same file in the same state. */
export function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return (
    a.ctimeNs === b.ctimeNs &&
    a.mtimeNs === b.mtimeNs &&
    a.size === b.size &&
    a.mode === b.mode &&
    a.ino === b.ino &&
    a.dev === b.dev
  );
}
