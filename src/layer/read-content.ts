import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, fsPath, textOf } from '../sys/bytes.ts';
import { loadSys } from '../sys/linux.ts';
import { type Aborted, throwIfAborted } from './abort.ts';
import { isRedirect, xattrTravels } from './xattr-rules.ts';

/** A file of a layer directory. */
export interface LayerFile {
  /** Absolute path of the directory. */
  base: BytePath;
  /** Path of the file in it. */
  path: BytePath;
  /** It was taken to have no attributes that travel: that is seen now. See `PackOptions.lateAttributes`. */
  isBare?: boolean;
}

/** Code of the error for a file that has attributes after all. */
export const ATTRIBUTES_LATE = 'ATTRIBUTES_LATE';

/** A file whose content is to come into a piece of the archive. */
export interface PieceContent extends LayerFile {
  /** Where in the piece it begins. */
  start: number;
  /** Bytes. */
  size: number;
}

/** Reads contents into the places that are kept for them. Errors as `openContent` and `readContent`. */
export function readContents(piece: Buffer, contents: readonly PieceContent[]): void {
  for (const content of contents) {
    const fd = openContent(content);
    try {
      if (content.isBare === true) checkBare(fd, content);
      readContent(fd, piece.subarray(content.start, content.start + content.size), content);
    } finally {
      closeSync(fd);
    }
  }
}

/** Reads the first `size` bytes of a file part by part into one buffer. Errors as `openContent` and `readContent`. */
export function readParts(
  file: LayerFile,
  size: number,
  { buffer, take }: { buffer: Buffer; take: (part: Buffer) => void },
): void {
  const fd = openContent(file);
  try {
    for (let left = size; left > 0; ) {
      const part = buffer.subarray(0, Math.min(left, buffer.length));
      readContent(fd, part, file);
      take(part);
      left -= part.length;
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
export function openContent(file: LayerFile): number {
  try {
    const path = fsPath(`${file.base}/${file.path}`);
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ELOOP') || isErrno(error, 'ENOENT')) throw layerChanged(file);
    throw error;
  }
}

/** Fills `target` with what comes next of an open file; throws `changed` where the file ends before. */
export function readContent(fd: number, target: Buffer, file: LayerFile): void {
  for (let at = 0; at < target.length; ) {
    const read = readSync(fd, target, at, target.length - at, null);
    if (read === 0) throw layerChanged(file);
    at += read;
  }
}

function checkBare(fd: number, { path }: LayerFile): void {
  const names = loadSys().flistxattr(fd);
  if (names.length === 0 || !names.some((name) => xattrTravels(name) || isRedirect(name))) return;
  throw new SlipwayError('internal', `${textOf(path)} has attributes that were not looked for`, {
    code: ATTRIBUTES_LATE,
  });
}

function layerChanged({ path }: LayerFile): SlipwayError {
  return new SlipwayError('changed', `${textOf(path)} changed while its layer was packed`, {
    code: 'LAYER_CHANGED',
  });
}
