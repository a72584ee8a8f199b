import { readSync } from 'node:fs';
import { SlipwayError } from '../errors/index.ts';
import { badArchive } from './archive-files.ts';
import type { Aborted } from './types.ts';

const CHUNK = 1 << 20;

/** `size` bytes of an open file from `offset` on, in chunks of at most 1 MiB, each a buffer of its own. */
export async function* readRange(
  fd: number,
  range: { offset: number; size: number },
  aborted?: Aborted,
): AsyncGenerator<Buffer> {
  let { offset, size } = range;
  while (size > 0) {
    if (aborted?.() === true) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
    const chunk = readExactly(fd, offset, Math.min(size, CHUNK));
    offset += chunk.length;
    size -= chunk.length;
    yield chunk;
  }
}

/** Exactly these bytes of an open file. Throws `ARCHIVE_INVALID` when it ends before. */
export function readExactly(fd: number, offset: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; ) {
    const count = readSync(fd, buffer, at, size - at, offset + at);
    if (count === 0) throw badArchive('it ends too early');
    at += count;
  }
  return buffer;
}
