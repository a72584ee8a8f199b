import crypto from 'node:crypto';
import fs from 'node:fs';
import { isErrno } from '../errors/index.ts';
import type { BytePath } from '../sys/bytes.ts';
import { contextChanged, contextUnreadable } from './context-changed.ts';
import { type Fingerprint, sameFingerprint } from './fingerprint-list.ts';
import type { InsideOpener } from './inside-opener.ts';

/** Bytes of the buffer that `hashFile` is given. */
export const HASH_BUFFER_BYTES = 1 << 20;

/**
 * SHA-256 of a file, hex, in steps of one buffer: a generator, so that the caller can do something else between them.
 *
 * @param state.print what the file was when it was looked at
 * @throws SlipwayError `changed` when it is another file by now, `denied` when it cannot be read
 */
export function* hashFile(
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
