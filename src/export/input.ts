import { closeSync, constants, fstatSync, openSync, read, readSync, rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { decompress, detectCompression, MAGIC_LENGTH } from '../layer/compress.ts';
import type { ArchiveFiles } from './archive-files.ts';
import { openDirectoryFiles } from './directory-files.ts';
import { explain, writeFully } from './output.ts';
import { readRange } from './read-range.ts';
import { openTarFiles } from './tar-files.ts';
import type { Aborted } from './types.ts';

/** Where an archive comes from: a file (an OCI layout may be a directory), or a file descriptor that stays open. */
export type Input =
  | {
      kind: 'file';
      path: string;
      /** As the user named it, for messages. */
      name?: string;
    }
  | { kind: 'fd'; fd: number };

export interface InputOptions {
  /** Path of a temporary file that may be made; it has no name any more when this returns. */
  scratch: string;
  /** Bytes of the archive, uncompressed; beyond is `exhausted`. */
  maxBytes?: number;
  aborted?: Aborted;
}

const DEFAULT_MAX_BYTES = 256 * 2 ** 30;
const CHUNK = 1 << 20;

/**
 * Opens an image archive for reading in any order. A plain file is read where it lies; what is compressed or comes
 * through a pipe is written to a nameless temporary file first, since the lists of contents come last in it.
 *
 * @throws SlipwayError `INPUT_NOT_FOUND`, `ARCHIVE_TOO_LARGE`, `BAD_COMPRESSION`, and those of `openTarFiles`.
 */
export async function openArchive(input: Input, options: InputOptions): Promise<ArchiveFiles> {
  const fd = openInput(input);
  const owned = input.kind === 'file';
  let kept = false;
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory() && input.kind === 'file') return openDirectoryFiles(input.path);
    if (stat.isFile() && compressionOfFile(fd) === 'none') {
      const files = openTarFiles(fd, { keepOpen: !owned });
      kept = true;
      return files;
    }
    return openTarFiles(await spool(readInput(fd, options.aborted), options));
  } finally {
    if (owned && !kept) closeSync(fd);
  }
}

/**
 * As `openArchive`, for an archive of which no byte has to be written elsewhere; undefined where one has to, since it is
 * compressed.
 */
export function openArchiveInPlace(path: string, name: string): ArchiveFiles | undefined {
  const fd = openInput({ kind: 'file', path, name });
  let kept = false;
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) return openDirectoryFiles(path);
    if (!stat.isFile() || compressionOfFile(fd) !== 'none') return undefined;
    const files = openTarFiles(fd, { keepOpen: false });
    kept = true;
    return files;
  } finally {
    if (!kept) closeSync(fd);
  }
}

/** Opens a file for reading, or gives back the descriptor. */
export function openInput(input: Input): number {
  if (input.kind === 'fd') return input.fd;
  try {
    return openSync(input.path, constants.O_RDONLY);
  } catch (error) {
    const why = isErrno(error, 'ENOENT') ? 'no such file or directory' : (error as Error).message;
    throw new SlipwayError('not-found', `open ${input.name ?? input.path}: ${why}`, {
      code: 'INPUT_NOT_FOUND',
      cause: error,
    });
  }
}

/** Everything a descriptor gives, from its beginning where it is an ordinary file, in chunks of up to 1 MiB. */
export async function* readInput(fd: number, aborted?: Aborted): AsyncGenerator<Buffer> {
  const stat = fstatSync(fd);
  if (stat.isFile()) {
    yield* readRange(fd, { offset: 0, size: stat.size }, aborted);
    return;
  }
  let buffer = Buffer.allocUnsafe(CHUNK);
  let filled = 0;
  for (;;) {
    if (aborted?.() === true) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
    // A pipe gives at most 64 KiB at once: several pieces share a buffer.
    if (buffer.length - filled < CHUNK / 8) {
      buffer = Buffer.allocUnsafe(CHUNK);
      filled = 0;
    }
    const count = await readSome(fd, buffer.subarray(filled));
    if (count === 0) return;
    yield buffer.subarray(filled, filled + count);
    filled += count;
  }
}

/** Not a synchronous read: a pipe may stay empty for long, and a cancel must get through. */
async function readSome(fd: number, target: Buffer): Promise<number> {
  for (;;) {
    try {
      return (await promisify(read)(fd, target, 0, target.length, null)).bytesRead;
    } catch (error) {
      // Somebody else made the shared pipe non-blocking.
      if (!isErrno(error, 'EAGAIN')) throw error;
      await setTimeout(2);
    }
  }
}

function compressionOfFile(fd: number): string {
  const start = Buffer.alloc(MAGIC_LENGTH);
  const count = readSync(fd, start, 0, MAGIC_LENGTH, 0);
  return detectCompression(start.subarray(0, count));
}

async function spool(source: AsyncIterable<Buffer>, options: InputOptions): Promise<number> {
  const { scratch, maxBytes = DEFAULT_MAX_BYTES } = options;
  const fd = openSync(scratch, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    rmSync(scratch);
    let size = 0;
    for await (const chunk of decompress(source)) {
      size += chunk.length;
      if (size > maxBytes) {
        throw new SlipwayError('exhausted', `the archive is larger than the limit of ${maxBytes} bytes`, {
          code: 'ARCHIVE_TOO_LARGE',
        });
      }
      writeFully(fd, chunk);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw explain(error);
  }
}
