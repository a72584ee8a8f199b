import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { loadSys } from '../sys/linux.ts';
import { pathIn } from '../sys/own-directory.ts';
import { type Aborted, throwIfAborted } from './abort.ts';
import { isRedirect, xattrTravels } from './xattr-rules.ts';

/** A file of a layer directory. */
export interface LayerFile {
  /** Absolute path of the directory. */
  base: BytePath;
  /** Path of the file in it. */
  path: BytePath;
}

/** Code of the error for a file that has attributes after all. */
export const ATTRIBUTES_LATE = 'ATTRIBUTES_LATE';

/**
 * Files of one layer directory whose contents are to come into a piece of the archive. Columns: to clone an object for
 * each from thread to thread costs as much as to read it.
 */
export interface PieceContents {
  /** Absolute path of the directory. */
  base: BytePath;
  paths: BytePath[];
  /** Where in the piece each begins. */
  starts: number[];
  /** Bytes. */
  sizes: number[];
  /** Which were taken to have no attributes that travel: that is seen now. See `PackOptions.lateAttributes`. */
  bare: boolean[];
}

/** Reads contents into the places that are kept for them. Errors as `openContent` and `readContent`. */
export function readContents(piece: Buffer, contents: readonly PieceContents[]): void {
  for (const { base, paths, starts, sizes, bare } of contents) {
    for (let at = 0; at < paths.length; at++) {
      const path = paths[at]!;
      const start = starts[at]!;
      const fd = openContent(base, path);
      try {
        if (bare[at]) checkBare(fd, path);
        readContent(fd, path, piece, start, start + sizes[at]!);
      } finally {
        closeSync(fd);
      }
    }
  }
}

/** Reads the first `size` bytes of a file part by part into one buffer. Errors as `openContent` and `readContent`. */
export function readParts(
  { base, path }: LayerFile,
  size: number,
  { buffer, take }: { buffer: Buffer; take: (part: Buffer) => void },
): void {
  const fd = openContent(base, path);
  try {
    for (let left = size; left > 0; ) {
      const length = Math.min(left, buffer.length);
      readContent(fd, path, buffer, 0, length);
      take(buffer.subarray(0, length));
      left -= length;
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * SHA-256 of the first `size` bytes of a file, hex; they are read into `buffer`. Errors as `readParts`, and `canceled`.
 */
export function digestContent(
  file: LayerFile,
  size: number,
  { buffer, aborted }: { buffer: Buffer; aborted: Aborted | undefined },
): string {
  const digest = createHash('sha256');
  const take = (part: Buffer): void => {
    throwIfAborted(aborted);
    digest.update(part);
  };
  readParts(file, size, { buffer, take });
  return digest.digest('hex');
}

/** Nothing that a name was swapped for after lstat is followed or waited for: that throws `changed`. */
export function openContent(base: BytePath, path: BytePath): number {
  try {
    return openSync(pathIn(base, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ELOOP') || isErrno(error, 'ENOENT')) throw layerChanged(path);
    throw error;
  }
}

/** Fills `target` from `start` to `end` with what comes next of an open file; throws `changed` where it ends before. */
export function readContent(fd: number, path: BytePath, target: Buffer, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const read = readSync(fd, target, at, end - at, null);
    if (read === 0) throw layerChanged(path);
    at += read;
  }
}

function checkBare(fd: number, path: BytePath): void {
  const names = loadSys().flistxattr(fd);
  if (names.length === 0 || !names.some((name) => xattrTravels(name) || isRedirect(name))) return;
  throw new SlipwayError('internal', `${textOf(path)} has attributes that were not looked for`, {
    code: ATTRIBUTES_LATE,
  });
}

function layerChanged(path: BytePath): SlipwayError {
  return new SlipwayError('changed', `${textOf(path)} changed while its layer was packed`, {
    code: 'LAYER_CHANGED',
  });
}
