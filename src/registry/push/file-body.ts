import { closeSync, openSync, readSync } from 'node:fs';
import type { UploadBody } from '../types.ts';

const CHUNK = 1 << 20;

/** The bytes `from` to `to` (exclusive) of a file as a body; each attempt reads them anew. `sent` is told of each piece. */
export function fileBody(
  path: string,
  { from, to, sent }: { from: number; to: number; sent?: ((bytes: number) => void) | undefined },
): Exclude<UploadBody, Buffer> {
  return {
    size: to - from,
    async *open() {
      const fd = openSync(path, 'r');
      try {
        for (let at = from; at < to; ) {
          const buffer = Buffer.allocUnsafe(Math.min(CHUNK, to - at));
          const count = readSync(fd, buffer, 0, buffer.length, at);
          // A file that has become shorter: the body is too, and the server refuses it.
          if (count === 0) return;
          at += count;
          yield buffer.subarray(0, count);
          sent?.(count);
        }
      } finally {
        closeSync(fd);
      }
    },
  };
}
