import fs from 'node:fs';
import type { BytePath } from '../sys/bytes.ts';
import { joinPath, parentOf } from './clean-path.ts';
import { nodeOf } from './disk-node.ts';
import { type FileClock, isLasting, nowNs, openFileClock } from './file-clock.ts';
import type { NamedNode } from './file-tree.ts';
import type { FingerprintIndex } from './fingerprint-index.ts';
import { type Fingerprint, FingerprintList } from './fingerprint-list.ts';
import type { Known } from './fingerprint-table.ts';
import { HASH_BUFFER_BYTES, hashFile } from './hash-file.ts';
import { InsideOpener } from './inside-opener.ts';
import { fsPath } from './read-file.ts';
import type { TimeSlice } from './time-slice.ts';

/** A name of the tree with what was learned about it. */
export interface DiskEntry extends NamedNode {
  /** Row of its stat data. */
  row: number;
  known: Known;
  /** When its stat data was read, where the index did not know it; 0 where it did. */
  readAtNs: bigint;
}

/** Opens files only when the index does not know them. */
export interface ContentHasher {
  /** The entry of a path whose stat data was just read; reads link text and, for unknown inodes, attributes. */
  describe(path: BytePath, name: BytePath, stat: fs.BigIntStats): DiskEntry;
  /** Hex digest of a file. Throws `changed` when it is another file by now. */
  sha256(path: BytePath, entry: DiskEntry): string;
  /** The same, pausing inside large files. */
  sha256InSlices(path: BytePath, entry: DiskEntry, slice: TimeSlice): Promise<string>;
  /** What a file must be like for whoever reads it in our place; from now on counts when it was looked at. */
  expected(entry: DiskEntry): Fingerprint;
  /** Takes the digest that somebody else found for a file that was as `expected`. */
  learn(path: BytePath, entry: DiskEntry, sha256: string): void;
  /** Closes what is kept open between files that lie side by side. */
  release(): void;
}

export interface ContentHasherOptions {
  root: BytePath;
  index: FingerprintIndex;
  readXattrs?: ((path: BytePath) => Map<string, Buffer> | undefined) | undefined;
  /** By default what the kernel says of the file systems. */
  clock?: FileClock | undefined;
}

export function createContentHasher(options: ContentHasherOptions): ContentHasher {
  const { root, index, readXattrs } = options;
  const prints = new FingerprintList();
  const opener = new InsideOpener(root);
  const clock = options.clock ?? openFileClock();
  let buffer: Buffer | undefined;

  const remember = (path: BytePath, { node, row, known, readAtNs }: DiskEntry): void => {
    const print = prints.get(row);
    // Through a link the kernel would tell of another file system.
    const place = node.type === 'file' || node.type === 'directory' ? path : parentOf(path);
    const tick = clock(print.dev, joinPath(root, place));
    if (tick !== undefined) index.remember({ print, known }, isLasting(print, readAtNs, tick));
  };

  const describe = (path: BytePath, name: BytePath, stat: fs.BigIntStats): DiskEntry => {
    const node = nodeOf(stat);
    if (node.type === 'symlink')
      node.link = fs.readlinkSync(fsPath(joinPath(root, path)), { encoding: 'latin1' });
    const row = prints.add(stat);
    const found = index.find(prints, row);
    if (found !== undefined) {
      const { xattrs } = found;
      if (xattrs !== undefined) node.xattrs = xattrs;
      node.known = found;
      return { name, node, row, known: found, readAtNs: 0n };
    }
    // The root's own attributes reach no image, and it changes whenever something is put beside the sources.
    const xattrs = path === '' ? undefined : readXattrs?.(joinPath(root, path));
    if (xattrs !== undefined && xattrs.size > 0) node.xattrs = xattrs;
    const entry = { name, node, row, known: { sha256: undefined, xattrs }, readAtNs: nowNs() };
    // A file is remembered with its digest, once that is known.
    if (readXattrs !== undefined && node.type !== 'file' && path !== '') remember(path, entry);
    return entry;
  };

  const expected = (entry: DiskEntry): Fingerprint => {
    // Attributes and content must belong together: the time that counts is that of the first look.
    if (entry.readAtNs === 0n) entry.readAtNs = nowNs();
    return prints.get(entry.row);
  };

  const learn = (path: BytePath, entry: DiskEntry, sha256: string): void => {
    entry.known = { sha256, xattrs: entry.known.xattrs };
    entry.node.known = entry.known;
    remember(path, entry);
  };

  /** Reads a file in steps of one buffer; yields between them. */
  function* read(path: BytePath, entry: DiskEntry): Generator<void, string> {
    buffer ??= Buffer.allocUnsafeSlow(HASH_BUFFER_BYTES);
    const sha256 = yield* hashFile(opener, path, { print: expected(entry), buffer });
    learn(path, entry, sha256);
    return sha256;
  }

  return {
    describe,
    expected,
    learn,
    sha256(path, entry) {
      const known = entry.known.sha256;
      if (known !== undefined) return known;
      const steps = read(path, entry);
      for (;;) {
        const step = steps.next();
        if (step.done) return step.value;
      }
    },
    async sha256InSlices(path, entry, slice) {
      const steps = read(path, entry);
      for (;;) {
        const step = steps.next();
        if (step.done) return step.value;
        if (!slice.due()) continue;
        // Another caller may hash during the pause: the file in progress keeps the buffer, others get a new one.
        buffer = undefined;
        await slice.pause();
      }
    },
    release: () => opener.release(),
  };
}
