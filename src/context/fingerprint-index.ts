import { FINGERPRINT_WORDS, type FingerprintList } from './fingerprint-list.ts';
import {
  emptyTable,
  type FingerprintTable,
  inodeAt,
  type Known,
  knownAt,
  lookUp,
  readTable,
  type TableRecord,
  writeTable,
} from './fingerprint-table.ts';
import { LearnedFingerprints } from './learned-fingerprints.ts';

/** Records of files that a build did not look at are kept up to this many, so that other builds find them. */
const KEPT_UNSEEN = 200_000;

/**
 * Remembers what files held, by their stat data, so that an unchanged tree is checked without opening a file
 * (DESIGN.md, decision 7). One file per context, read in one go and searched where it lies in memory.
 */
export interface FingerprintIndex {
  /** What is known of the file with the fingerprint in this row. */
  find(list: FingerprintList, row: number): Known | undefined;
  /** Replaces what is known of the inode. Kept for later runs only where `lasting` (see `isLasting`). */
  remember(record: TableRecord, lasting: boolean): void;
  /** Writes the file when something was learned: a temporary name, then a rename. An index that cannot be written is given up. */
  save(): void;
}

/** @param file absent, damaged or of another format version means an empty index; undefined keeps it in memory only */
export function openFingerprintIndex(file: string | undefined): FingerprintIndex {
  const table = (file === undefined ? undefined : readTable(file)) ?? emptyTable();
  const learned = new LearnedFingerprints();
  const seen = new Uint8Array(table.count);
  let changed = false;

  return {
    find(list, row) {
      if (learned.length > 0) {
        const fresh = learned.rowOf(list.halves, row * FINGERPRINT_WORDS * 2);
        if (fresh >= 0) return learned.prints.isSame(fresh, list, row) ? learned.known[fresh] : undefined;
      }
      const at = lookUp(table, list, row);
      if (at < 0) return undefined;
      seen[at] = 1;
      return knownAt(table, at);
    },
    remember({ print, known }, lasting) {
      learned.add(print, known, lasting);
      changed ||= lasting;
    },
    save() {
      if (file === undefined || !changed) return;
      try {
        writeTable(file, learned, { table, rows: keptRows(table, seen, learned) });
        changed = false;
      } catch {
        // A full or read-only disk costs the next build its head start, nothing else.
      }
    },
  };
}

/** Rows of what nothing newer was learned about. Seen ones first: at the next save they are the last to be dropped. */
function keptRows(table: FingerprintTable, seen: Uint8Array, learned: LearnedFingerprints): Int32Array {
  const rows = new Int32Array(table.count);
  let count = 0;
  let unseen = 0;
  for (const pass of [1, 0]) {
    for (let at = 0; at < table.count; at++) {
      if (seen[at] !== pass || (pass === 0 && unseen++ >= KEPT_UNSEEN)) continue;
      if (learned.rowOf(table.halves, inodeAt(at)) < 0) rows[count++] = at;
    }
  }
  return rows.subarray(0, count);
}
