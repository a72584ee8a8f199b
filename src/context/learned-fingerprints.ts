import { FINGERPRINT_WORDS, type Fingerprint, FingerprintList, hashInode } from './fingerprint-list.ts';
import type { Known } from './fingerprint-table.ts';

/** Halves of a record that say which inode it is: device and number. */
const INODE_HALVES = 4;
const FIRST_SLOTS = 1024;

/**
 * What a build has learned of inodes, one record each. In typed arrays: as objects of bigints 200,000 of them take
 * 90 MB.
 */
export class LearnedFingerprints {
  readonly prints = new FingerprintList();
  readonly known: Known[] = [];
  readonly #lasting: boolean[] = [];
  /** Open addressing by inode over rows + 1; 0 is free. At least half of them stay free. */
  #slots = new Int32Array(FIRST_SLOTS);

  get length(): number {
    return this.prints.length;
  }

  /** The row of an inode, whose device and number are the first halves from `at` on; -1 where nothing is known of it. */
  rowOf(halves: Uint32Array, at: number): number {
    return this.#slots[this.#slotOf(halves, at)]! - 1;
  }

  /** Replaces what was learned of the inode. */
  add(print: Fingerprint, known: Known, lasting: boolean): void {
    const row = this.prints.add(print);
    const slot = this.#slotOf(this.prints.halves, row * FINGERPRINT_WORDS * 2);
    const before = this.#slots[slot]! - 1;
    if (before >= 0) this.prints.moveLast(before);
    else if (row * 2 + 2 > this.#slots.length) this.#grow();
    else this.#slots[slot] = row + 1;
    this.known[before < 0 ? row : before] = known;
    this.#lasting[before < 0 ? row : before] = lasting;
  }

  isLasting(row: number): boolean {
    return this.#lasting[row]!;
  }

  #slotOf(halves: Uint32Array, at: number): number {
    const slots = this.#slots;
    const ours = this.prints.halves;
    let slot = hashInode(halves[at + 2]!) & (slots.length - 1);
    for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      const from = (slots[slot]! - 1) * FINGERPRINT_WORDS * 2;
      let same = 0;
      while (same < INODE_HALVES && ours[from + same] === halves[at + same]) same++;
      if (same === INODE_HALVES) break;
    }
    return slot;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let row = 0; row < this.length; row++)
      this.#slots[this.#slotOf(this.prints.halves, row * FINGERPRINT_WORDS * 2)] = row + 1;
  }
}
