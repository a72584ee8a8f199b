import { SlipwayError } from '../errors/index.ts';
import type { BytePath } from '../sys/bytes.ts';
import { comparePaths, parentOf } from './paths.ts';
import type { LayerEntry } from './types.ts';

/**
 * One listing, made ready for walking: in the packer's order what is below a directory follows it without a gap,
 * so where that ends is all there is to know.
 */
export class ListingIndex {
  readonly entries: readonly LayerEntry[];
  /** The root's own entry, if the layer has one. */
  readonly root: LayerEntry | undefined;
  #ends: Int32Array | undefined;
  #linked: Set<BytePath> | undefined;

  constructor(entries: readonly LayerEntry[]) {
    this.entries = entries;
    this.root = entries[0]?.path === '' ? entries[0] : undefined;
  }

  /** Indexes of the entries directly in the directory at `index`; -1 is the root. */
  *childrenOf(index: number): Generator<number> {
    const ends = this.#endsOf();
    const rootIndex = this.root === undefined ? -1 : 0;
    const from = index < 0 ? rootIndex : index;
    const end = index < 0 ? this.entries.length : ends[index]!;
    for (let at = from + 1; at < end; at = ends[at]!) yield at;
  }

  /** The entry of exactly this path. */
  find(path: BytePath): LayerEntry | undefined {
    return this.entries[this.#positionOf(path)];
  }

  #positionOf(path: BytePath): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = comparePaths(this.entries[middle]!.path, path);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  /** The entries below the directory of exactly this path, in order. */
  below(path: BytePath): readonly LayerEntry[] {
    const at = this.#positionOf(path);
    return at < 0 ? [] : this.entries.slice(at + 1, this.#endsOf()[at]);
  }

  /** Whether there are hard links. */
  get hasAnyLinks(): boolean {
    return this.entries.some((entry) => entry.hardLink !== undefined);
  }

  /** Whether other names are hard links to the first name `path`. */
  hasLinks(path: BytePath): boolean {
    this.#linked ??= new Set(this.entries.flatMap((entry) => entry.hardLink ?? []));
    return this.#linked.has(path);
  }

  /**
   * For each entry, the index of the first one behind it that is not below it. Throws `corrupt` when entries are
   * out of order or lack their parents.
   */
  #endsOf(): Int32Array {
    if (this.#ends !== undefined) return this.#ends;
    const { entries } = this;
    const ends = new Int32Array(entries.length);
    const open: number[] = [];
    for (let i = this.root === undefined ? 0 : 1; i < entries.length; i++) {
      const { path } = entries[i]!;
      const parent = parentOf(path);
      while (open.length > 0 && entries[open.at(-1)!]!.path !== parent) ends[open.pop()!] = i;
      const orderly = i === 0 || comparePaths(entries[i - 1]!.path, path) < 0;
      if (!orderly || (open.length === 0 && parent !== '')) {
        throw new SlipwayError('corrupt', 'a layer listing is not in order', { code: 'LISTING_CORRUPT' });
      }
      if (entries[i]!.type === 'directory') open.push(i);
      else ends[i] = i + 1;
    }
    while (open.length > 0) ends[open.pop()!] = entries.length;
    this.#ends = ends;
    return ends;
  }
}
