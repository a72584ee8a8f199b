import crypto from 'node:crypto';
import fs from 'node:fs';
import { isErrno } from '../errors/index.ts';
import type { BytePath } from '../sys/bytes.ts';
import { joinPath, parentOf } from './clean-path.ts';
import { contextChanged, contextUnreadable } from './context-changed.ts';
import { nodeOf } from './disk-node.ts';
import { type FileClock, isLasting, nowNs, openFileClock } from './file-clock.ts';
import type { NamedNode } from './file-tree.ts';
import type { FingerprintIndex } from './fingerprint-index.ts';
import { type Fingerprint, FingerprintList, sameFingerprint } from './fingerprint-list.ts';
import type { Known } from './fingerprint-table.ts';
import { InsideOpener } from './inside-opener.ts';
import { fsPath } from './read-file.ts';
import type { TimeSlice } from './time-slice.ts';

const BUFFER_BYTES = 1 << 20;

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

  /** Reads a file in steps of one buffer; yields between them. */
  function* read(path: BytePath, entry: DiskEntry): Generator<void, string> {
    // Attributes and content must belong together: the time that counts is that of the first look.
    if (entry.readAtNs === 0n) entry.readAtNs = nowNs();
    buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const sha256 = yield* hashFile(opener, path, { print: prints.get(entry.row), buffer });
    entry.known = { sha256, xattrs: entry.known.xattrs };
    entry.node.known = entry.known;
    remember(path, entry);
    return sha256;
  }

  return {
    describe,
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

function* hashFile(
  opener: InsideOpener,
  path: BytePath,
  state: { print: Fingerprint; buffer: Buffer },
): Generator<void, string> {
  const { print, buffer } = state;
  const size = Number(print.size);
  const descriptor = open(opener, path, print);
  try {
    if (size < buffer.length) {
      // Room for one byte more, so that a file that grew shows.
      const count = readFully(descriptor, buffer.subarray(0, size + 1));
      if (count !== size) throw contextChanged(path);
      const digest = crypto.hash('sha256', buffer.subarray(0, size), 'hex');
      checkUnchanged(descriptor, path, print);
      return digest;
    }
    const hash = crypto.createHash('sha256');
    for (let total = 0; ; ) {
      const count = readFully(descriptor, buffer);
      hash.update(buffer.subarray(0, count));
      total += count;
      if (count < buffer.length || total > size) {
        if (total !== size) throw contextChanged(path);
        break;
      }
      yield;
    }
    checkUnchanged(descriptor, path, print);
    return hash.digest('hex');
  } finally {
    fs.closeSync(descriptor);
  }
}

function open(opener: InsideOpener, path: BytePath, print: Fingerprint): number {
  try {
    const { descriptor, stat } = opener.open(path);
    if (sameFingerprint(stat, print)) return descriptor;
    fs.closeSync(descriptor);
  } catch (error) {
    if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM')) throw contextUnreadable(path, error);
    throw contextChanged(path, error);
  }
  throw contextChanged(path);
}

function checkUnchanged(descriptor: number, path: BytePath, print: Fingerprint): void {
  if (!sameFingerprint(fs.fstatSync(descriptor, { bigint: true }), print)) throw contextChanged(path);
}

function readFully(descriptor: number, target: Buffer): number {
  let length = 0;
  while (length < target.length) {
    const count = fs.readSync(descriptor, target, length, target.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return length;
}
