import crypto from 'node:crypto';
import fs from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { joinPath } from './clean-path.ts';
import type { FileNode } from './file-tree.ts';
import { type FingerprintIndex, isLasting } from './fingerprint-index.ts';
import type { Fingerprint, Known } from './fingerprint-table.ts';
import { fsPath, openRegularFile } from './read-file.ts';
import { startTimeSlice } from './time-slice.ts';

const BUFFER_BYTES = 1 << 20;

/** A name of the tree with what was learned about it. */
export interface DiskEntry {
  node: FileNode;
  print: Fingerprint;
  known: Known;
  /** When its stat data was read, where the index did not know it; 0 where it did. */
  readAtNs: bigint;
}

/** Opens files only when the index does not know them. */
export interface ContentHasher {
  /** The entry of a path whose stat data was just read; reads link text and, for unknown inodes, attributes. */
  describe(path: BytePath, stat: fs.BigIntStats): DiskEntry;
  /** Hex digest of a file. Throws `changed` when it is another file by now. */
  sha256(path: BytePath, entry: DiskEntry): string;
  /** Computes digests ahead, in slices that let a cancel through. */
  prefetch(files: Iterable<[BytePath, DiskEntry]>, signal: AbortSignal | undefined): Promise<void>;
}

export interface ContentHasherOptions {
  root: BytePath;
  index: FingerprintIndex;
  readXattrs?: ((path: BytePath) => Map<string, Buffer> | undefined) | undefined;
}

export function createContentHasher(options: ContentHasherOptions): ContentHasher {
  const { root, index, readXattrs } = options;
  const tickNs = clockTick(root);
  const rootDevice = fs.statSync(fsPath(root === '' ? '/' : root), {
    bigint: true,
    throwIfNoEntry: false,
  })?.dev;
  let buffer: Buffer | undefined;

  const remember = (entry: DiskEntry): void => {
    // A file system mounted inside the context may keep coarser times than the one it is mounted on.
    const tick = entry.print.dev === rootDevice || tickNs > UNKNOWN_TICK ? tickNs : UNKNOWN_TICK;
    index.remember(entry.print, entry.known, isLasting(entry.print, entry.readAtNs, tick));
  };

  const describe = (path: BytePath, stat: fs.BigIntStats): DiskEntry => {
    const { dev, ino, size, mtimeNs, ctimeNs, mode } = stat;
    const print = { dev, ino, size, mtimeNs, ctimeNs, mode };
    const node = nodeOf(stat);
    if (node.type === 'symlink') node.link = readLink(joinPath(root, path));
    const found = index.find(print);
    const entry: DiskEntry = {
      node,
      print,
      // The root's own attributes reach no image, and it changes whenever something is put beside the sources.
      known: found ?? {
        sha256: undefined,
        xattrs: path === '' ? undefined : readXattrs?.(joinPath(root, path)),
      },
      readAtNs: found === undefined ? now() : 0n,
    };
    // A file is remembered with its digest, once that is known.
    if (found === undefined && readXattrs !== undefined && node.type !== 'file' && path !== '')
      remember(entry);
    const { xattrs } = entry.known;
    if (xattrs !== undefined && xattrs.size > 0) node.xattrs = xattrs;
    return entry;
  };

  /** Reads a file in steps of one buffer; yields between them. */
  function* read(path: BytePath, entry: DiskEntry): Generator<void, string> {
    if (entry.known.sha256 === undefined) {
      // Attributes and content must belong together: the time that counts is that of the first look.
      if (entry.readAtNs === 0n) entry.readAtNs = now();
      buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
      const sha256 = yield* hashFile(root, path, { print: entry.print, buffer });
      entry.known = { sha256, xattrs: entry.known.xattrs };
      remember(entry);
    }
    return entry.known.sha256!;
  }

  return {
    describe,
    sha256(path, entry) {
      if (entry.known.sha256 !== undefined) return entry.known.sha256;
      const steps = read(path, entry);
      for (;;) {
        const step = steps.next();
        if (step.done) return step.value;
      }
    },
    async prefetch(files, signal) {
      const slice = startTimeSlice(signal);
      for (const [path, entry] of files) {
        if (entry.known.sha256 !== undefined) continue;
        for (const _ of read(path, entry)) {
          if (!slice.due()) continue;
          // Another caller may hash during the pause: the file in progress keeps the buffer, others get a new one.
          buffer = undefined;
          await slice.pause();
        }
        if (slice.due()) await slice.pause();
      }
    },
  };
}

function* hashFile(
  root: BytePath,
  path: BytePath,
  state: { print: Fingerprint; buffer: Buffer },
): Generator<void, string> {
  const { print, buffer } = state;
  const size = Number(print.size);
  const descriptor = open(root, path, print);
  try {
    if (size < buffer.length) {
      // Room for one byte more, so that a file that grew shows.
      const count = readFully(descriptor, buffer.subarray(0, size + 1));
      if (count !== size) throw changed(path);
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
        if (total !== size) throw changed(path);
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

function open(root: BytePath, path: BytePath, print: Fingerprint): number {
  try {
    const { descriptor, stat } = openRegularFile(joinPath(root, path), { follow: false });
    if (isSame(stat, print)) return descriptor;
    fs.closeSync(descriptor);
  } catch (error) {
    if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM'))
      throw new SlipwayError('denied', `cannot read "/${textOf(path)}" of the build context`, {
        code: 'CONTEXT_UNREADABLE',
        hint: 'Make it readable, or hide it with a line in the ignore file.',
        cause: error,
      });
    throw changed(path, error);
  }
  throw changed(path);
}

function checkUnchanged(descriptor: number, path: BytePath, print: Fingerprint): void {
  if (!isSame(fs.fstatSync(descriptor, { bigint: true }), print)) throw changed(path);
}

function isSame(stat: fs.BigIntStats, print: Fingerprint): boolean {
  return (
    stat.ino === print.ino &&
    stat.dev === print.dev &&
    stat.size === print.size &&
    stat.mtimeNs === print.mtimeNs &&
    stat.ctimeNs === print.ctimeNs
  );
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

function readLink(path: BytePath): BytePath {
  return fs.readlinkSync(fsPath(path), { encoding: 'latin1' });
}

function nodeOf(stat: fs.BigIntStats): FileNode {
  const type = typeOf(stat);
  const node: FileNode = {
    type,
    mode: Number(stat.mode) & 0o7777,
    uid: 0,
    gid: 0,
    size: type === 'file' ? Number(stat.size) : 0,
    mtimeNs: stat.mtimeNs,
  };
  if (type === 'char' || type === 'block') {
    // The kernel's encoding of a device number (glibc's gnu_dev_major and gnu_dev_minor).
    node.major = Number(((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & 0xfffff000n));
    node.minor = Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xffffff00n));
  }
  if (stat.nlink > 1n && type !== 'directory') node.inode = `${stat.dev}:${stat.ino}`;
  return node;
}

function typeOf(stat: fs.BigIntStats): FileNode['type'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isSocket()) return 'socket';
  return stat.isBlockDevice() ? 'block' : 'char';
}

/** Timestamps follow the timer interrupt, at worst every 10 ms (HZ=100); twice that for good measure. */
const LOCAL_TICK = 20_000_000n;
/** Where the clock is another machine's, or the file system keeps times in steps of two seconds. */
const UNKNOWN_TICK = 3_000_000_000n;
/** statfs(2) magic numbers of ext, xfs, btrfs, tmpfs, overlay, zfs, f2fs and bcachefs. */
const LOCAL_FILE_SYSTEMS = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e,
]);

function clockTick(root: BytePath): bigint {
  try {
    return LOCAL_FILE_SYSTEMS.has(fs.statfsSync(fsPath(root === '' ? '/' : root)).type >>> 0)
      ? LOCAL_TICK
      : UNKNOWN_TICK;
  } catch {
    return UNKNOWN_TICK;
  }
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

function changed(path: BytePath, cause?: unknown): SlipwayError {
  return new SlipwayError('changed', `"/${textOf(path)}" changed while the build context was read`, {
    code: 'CONTEXT_CHANGED',
    hint: 'Let the other program finish, then build again.',
    cause,
  });
}
