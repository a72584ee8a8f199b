import {
  emptyTable,
  type Fingerprint,
  type FingerprintTable,
  type Known,
  knownAt,
  lookUp,
  readTable,
  recordAt,
  type TableRecord,
  writeTable,
} from './fingerprint-table.ts';

/** Records of files that a build did not look at are kept up to this many, so that other builds find them. */
const KEPT_UNSEEN = 200_000;
/**
 * Remembers what files held, by their stat data, so that an unchanged tree is checked without opening a file
 * (DESIGN.md, decision 7). One file per context, read in one go and searched where it lies in memory.
 */
export interface FingerprintIndex {
  find(print: Fingerprint): Known | undefined;
  /** Replaces what is known of the inode. Kept for later runs only where `lasting` (see {@link isLasting}). */
  remember(print: Fingerprint, known: Known, lasting: boolean): void;
  /** Writes the file when something was learned: a temporary name, then a rename. An index that cannot be written is given up. */
  save(): void;
}

interface Learned extends TableRecord {
  lasting: boolean;
}

/** @param file absent, damaged or of another format version means an empty index; undefined keeps it in memory only */
export function openFingerprintIndex(file: string | undefined): FingerprintIndex {
  const table = (file === undefined ? undefined : readTable(file)) ?? emptyTable();
  const learned = new Map<bigint, Learned[]>();
  const seen = new Uint8Array(table.count);
  let changed = false;

  const findLearned = (print: Fingerprint): Learned | undefined =>
    learned.get(print.ino)?.find((record) => record.dev === print.dev);

  return {
    find(print) {
      const fresh = findLearned(print);
      if (fresh !== undefined) return sameFingerprint(fresh, print) ? fresh : undefined;
      const at = lookUp(table, print);
      if (at < 0) return undefined;
      seen[at] = 1;
      return knownAt(table, at);
    },
    remember(print, known, lasting) {
      const { dev, ino, size, mtimeNs, ctimeNs, mode } = print;
      const record = { dev, ino, size, mtimeNs, ctimeNs, mode, ...known, lasting };
      const same = learned.get(ino)?.filter((other) => other.dev !== dev) ?? [];
      learned.set(ino, [...same, record]);
      changed ||= lasting;
    },
    save() {
      if (file === undefined || !changed) return;
      try {
        writeTable(file, gather(table, seen, learned));
        changed = false;
      } catch {
        // A full or read-only disk costs the next build its head start, nothing else.
      }
    },
  };
}

/**
 * Git's racy-timestamp rule: a file that was touched less than one tick of the file system's clock before it was
 * read could change again without any sign in its stat data. What is read then is not kept for later runs.
 *
 * @param readAtNs when reading began, nanoseconds since 1970
 * @param tickNs granularity of the file system's timestamps and the clock skew to expect
 */
export function isLasting(print: Fingerprint, readAtNs: bigint, tickNs: bigint): boolean {
  // Whole seconds in both times: a file system that keeps no finer ones (ext3, small inodes, HFS+).
  const coarse = print.ctimeNs % 1_000_000_000n === 0n && print.mtimeNs % 1_000_000_000n === 0n;
  const limit = readAtNs - (coarse && tickNs < 2_000_000_000n ? 2_000_000_000n : tickNs);
  return print.ctimeNs < limit && print.mtimeNs < limit;
}

function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return (
    a.ctimeNs === b.ctimeNs &&
    a.mtimeNs === b.mtimeNs &&
    a.size === b.size &&
    a.mode === b.mode &&
    a.ino === b.ino &&
    a.dev === b.dev
  );
}

function* gather(
  table: FingerprintTable,
  seen: Uint8Array,
  learned: Map<bigint, Learned[]>,
): Generator<TableRecord> {
  for (const records of learned.values()) for (const record of records) if (record.lasting) yield record;
  const isLearned = ({ ino, dev }: TableRecord): boolean =>
    learned.get(ino)?.some((record) => record.dev === dev) ?? false;
  let unseen = 0;
  // Seen ones first: at the next save they are the last to be dropped.
  for (const pass of [1, 0]) {
    for (let at = 0; at < table.count; at++) {
      if (seen[at] !== pass || (pass === 0 && unseen++ >= KEPT_UNSEEN)) continue;
      const record = recordAt(table, at);
      if (!isLearned(record)) yield record;
    }
  }
}
