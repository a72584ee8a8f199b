import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';

const compress = promisify(deflateRaw) as (
  data: Buffer,
  options: { level: number; finishFlush: number; dictionary?: Buffer },
) => Promise<Buffer>;

/** What deflate looks back on (RFC 1951). */
const WINDOW = 32 * 1024;
/** Threads of Node's pool, which others need too. */
const MOST = 4;
/** RFC 1952: deflate, no flags, no time, no hint, an unknown system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** A last block that is empty. */
const LAST_BLOCK = Buffer.from([3, 0]);

/**
 * Compresses to one gzip member, chunks at the same time on all processors, as pigz does: each chunk knows the end of
 * the one before it, and ends at a byte. The bytes depend on the chunks and the level, not on the machine. Chunks must
 * not change afterwards, and should be large (1 MiB).
 */
export async function* parallelGzip(chunks: AsyncIterable<Buffer>, level: number): AsyncGenerator<Buffer> {
  const most = Math.min(MOST, availableParallelism()) + 1;
  const running: Promise<Buffer>[] = [];
  let dictionary: Buffer | undefined;
  let checksum = 0;
  let size = 0;
  yield HEADER;
  try {
    for await (const chunk of chunks) {
      if (chunk.length === 0) continue;
      const options = { level, finishFlush: constants.Z_SYNC_FLUSH, ...(dictionary && { dictionary }) };
      const work = compress(chunk, options);
      work.catch(() => {});
      running.push(work);
      checksum = crc32(chunk, checksum);
      size += chunk.length;
      dictionary = chunk.subarray(-WINDOW);
      if (running.length >= most) yield await running.shift()!;
    }
    for (const work of running.splice(0)) yield await work;
  } finally {
    await Promise.allSettled(running);
  }
  const end = Buffer.alloc(8);
  end.writeUInt32LE(checksum >>> 0, 0);
  end.writeUInt32LE(size % 2 ** 32, 4);
  yield LAST_BLOCK;
  yield end;
}
