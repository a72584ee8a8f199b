import { createHash, hash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { type Aborted, throwIfAborted } from '../../layer/abort.ts';
import { type BytePath, bufferOf, textOf } from '../../sys/bytes.ts';

/** One buffer for all files of a thread: a fresh one per file costs more than the read. */
const buffer = Buffer.allocUnsafe(1024 * 1024);
const zeros = Buffer.alloc(buffer.length);

/** Pieces of zeros from this size on become holes in the copy. */
const HOLE = 64 * 1024;

/** Below this a file is copied as quickly as its blocks are shared. */
const WORTH_SHARING = 128 * 1024;

/** What a copied file's content must be. */
export interface ExpectedContent {
  sha256: string;
  /** Bytes. */
  size: number;
}

export interface CopyFileOptions {
  aborted?: Aborted | undefined;
  /** Permission bits that the new file begins with, less those of the umask; default 0600. */
  mode?: number;
  /** Makes the new file share the blocks of the old one (`Sys.reflink`); false where that cannot be. */
  share?: (output: number, input: number) => boolean;
  /** Whether a source with these stat data is the one that was meant. */
  accepts?: (stat: BigIntStats) => boolean;
  /** Gets the descriptor of the new file, and the source's time. */
  finish?: (fd: number, mtimeNs: bigint) => void;
}

/**
 * Copies a regular file's bytes to a new file and checks on the way that they are those the cache key was made of.
 * What `finish` sets by the descriptor at the end costs no way through the path.
 *
 * `from` is opened without following a link or waiting on a fifo; `to` must not exist. Throws `changed` when the
 * source is not the file with this digest any more; then `to` may hold a part.
 */
export function copyFileContent(
  from: BytePath,
  to: BytePath,
  expected: ExpectedContent,
  options: CopyFileOptions = {},
): void {
  const { fd: input, stat } = openSource(from);
  try {
    if (options.accepts?.(stat) === false) throw changed(from);
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const output = openSync(bufferOf(to), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, options.mode ?? 0o600);
    try {
      const isShared = expected.size >= WORTH_SHARING && options.share?.(output, input) === true;
      // What is shared cannot change under the new file any more: that is what has to be right.
      const digest = isShared
        ? hashBytes(output, options.aborted)
        : copyBytes(input, output, expected.size, options.aborted);
      if (digest !== expected.sha256) throw changed(from);
      options.finish?.(output, stat.mtimeNs);
    } finally {
      closeSync(output);
    }
  } finally {
    closeSync(input);
  }
}

/** Opens a regular file for reading; throws `changed` for anything else, and never waits on it. */
export function openSource(path: BytePath): { fd: number; stat: BigIntStats } {
  let fd: number;
  try {
    fd = openSync(bufferOf(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO'].includes(code)) throw changed(path);
    throw error;
  }
  const stat = fstatSync(fd, { bigint: true });
  if (stat.isFile()) return { fd, stat };
  closeSync(fd);
  throw changed(path);
}

/** SHA-256 of what was copied, hex. */
function copyBytes(input: number, output: number, size: number, aborted: Aborted | undefined): string {
  const first = readSync(input, buffer, 0, buffer.length, null);
  if (first < buffer.length) {
    // Small: one shot is twice as fast as a hash object. A short read is the end for a regular file; where it is as
    // long as it should be, the digest says whether it is all.
    const more = first === size ? 0 : readSync(input, buffer, first, buffer.length - first, null);
    const data = buffer.subarray(0, first + more);
    if (more === 0 || first + more < buffer.length) {
      writeAll(output, data);
      return hash('sha256', data, 'hex');
    }
  }
  const digest = createHash('sha256');
  let length = buffer.length;
  let position = 0;
  let hole = false;
  while (length > 0) {
    throwIfAborted(aborted);
    const data = buffer.subarray(0, length);
    digest.update(data);
    hole = length >= HOLE && data.compare(zeros, 0, length) === 0;
    if (!hole) writeAll(output, data, position);
    position += length;
    length = readSync(input, buffer, 0, buffer.length, null);
  }
  if (hole) ftruncateSync(output, position);
  return digest.digest('hex');
}

/** SHA-256 of a file that is there, hex. */
function hashBytes(file: number, aborted: Aborted | undefined): string {
  const digest = createHash('sha256');
  for (let position = 0; ; ) {
    throwIfAborted(aborted);
    const length = readSync(file, buffer, 0, buffer.length, position);
    if (length === 0) return digest.digest('hex');
    digest.update(buffer.subarray(0, length));
    position += length;
  }
}

function writeAll(fd: number, data: Buffer, position: number | null = null): void {
  let done = 0;
  while (done < data.length) {
    done += writeSync(fd, data, done, data.length - done, position === null ? null : position + done);
  }
}

/** The error for a source that is not what it was when its digest was taken. */
export function changed(path: BytePath): SlipwayError {
  return new SlipwayError('changed', `${textOf(path)} changed while it was being copied`, {
    code: 'SOURCE_CHANGED',
    hint: 'Something writes to the build context during the build; build again.',
  });
}
