import fs from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, bufferOf, textOf } from '../sys/bytes.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** What Node's synchronous calls take fastest: text where the bytes are ASCII. */
export function fsPath(path: BytePath): string | Buffer {
  return /^[\x00-\x7f]*$/.test(path) ? path : bufferOf(path);
}

/**
 * Opens a regular file for reading and never waits: a FIFO, socket, device or directory is closed again and refused
 * before anything is read from it.
 *
 * @param path absolute
 * @param options.follow whether the last element may be a symbolic link
 * @returns an open descriptor and its stat data
 * @throws the error of `open(2)`; SlipwayError `invalid` NOT_A_REGULAR_FILE
 */
export function openRegularFile(
  path: BytePath,
  options: { follow: boolean },
): { descriptor: number; stat: fs.BigIntStats } {
  const descriptor = fs.openSync(fsPath(path), O_RDONLY | O_NONBLOCK | (options.follow ? 0 : O_NOFOLLOW));
  try {
    const stat = fs.fstatSync(descriptor, { bigint: true });
    if (stat.isFile()) return { descriptor, stat };
    throw new SlipwayError('invalid', `${textOf(path)} is ${kindOf(stat)}, not a regular file`, {
      code: 'NOT_A_REGULAR_FILE',
      hint: 'Only regular files are read here; nothing is opened that could block.',
    });
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}

/**
 * Reads a small file (a Dockerfile, an ignore file) whole.
 *
 * @param path absolute
 * @param options.what for messages: `Dockerfile`, `ignore file`
 * @param options.limit greatest size in bytes
 * @returns undefined when there is no such file
 * @throws SlipwayError `invalid` NOT_A_REGULAR_FILE, `exhausted` FILE_TOO_LARGE, `denied` FILE_UNREADABLE
 */
export function readSmallFile(path: BytePath, options: { what: string; limit: number }): Buffer | undefined {
  const { what, limit } = options;
  try {
    const { descriptor, stat } = openRegularFile(path, { follow: true });
    try {
      // Read, not trusted: some file systems report size 0 for files that have content.
      const content = readUpTo(descriptor, limit + 1, Number(stat.size));
      if (content.length <= limit) return content;
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    if (error instanceof SlipwayError) throw error;
    if (isErrno(error, 'ENXIO')) throw notRegular(what, path, error);
    throw new SlipwayError(
      'denied',
      `failed to read ${what}: open ${textOf(path)}: ${(error as Error).message}`,
      {
        code: 'FILE_UNREADABLE',
        cause: error,
      },
    );
  }
  throw new SlipwayError('exhausted', `${what} ${textOf(path)} is larger than ${limit} bytes`, {
    code: 'FILE_TOO_LARGE',
    hint: 'Nobody writes one of this size by hand: is it the right file?',
  });
}

/** Opening a socket fails before its kind can be seen. */
function notRegular(what: string, path: BytePath, cause: unknown): SlipwayError {
  return new SlipwayError('invalid', `${what} ${textOf(path)} is not a regular file`, {
    code: 'NOT_A_REGULAR_FILE',
    cause,
  });
}

function readUpTo(descriptor: number, most: number, expected: number): Buffer {
  let buffer = Buffer.allocUnsafe(Math.min(most, Math.max(expected + 1, 4096)));
  let length = 0;
  for (;;) {
    if (length === buffer.length) {
      if (length >= most) return buffer;
      buffer = Buffer.concat([buffer], Math.min(most, buffer.length * 2));
    }
    const count = fs.readSync(descriptor, buffer, length, buffer.length - length, null);
    if (count === 0) return buffer.subarray(0, length);
    length += count;
  }
}

function kindOf(stat: fs.BigIntStats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  return stat.isSymbolicLink() ? 'a symbolic link' : 'a device';
}
