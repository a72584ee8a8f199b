import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';
import { type Run, runsOf, storedBlocks } from './deflate-runs.ts';

const compress = promisify(deflateRaw) as (
  data: Buffer,
  options: { level: number; memLevel: number; finishFlush: number; chunkSize: number; dictionary?: Buffer },
) => Promise<Buffer>;

/** What deflate looks back on (RFC 1951). */
const WINDOW = 32 * 1024;
/** Threads of Node's pool, which others need too. */
const MOST = 4;
/** RFC 1952: deflate, no flags, no time, no hint, an unknown system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
/** A last block that is empty. */
const LAST_BLOCK = Buffer.from([3, 0]);
/** zlib's least size of its output. */
const LEAST_OUTPUT = 64;

/**
 * Compresses to one gzip member, chunks at the same time on all processors, as pigz does: each chunk knows the end of
 * the one before it, and ends at a byte. What cannot be compressed is stored: zlib would take as long for it as for
 * text. The bytes depend on the chunks and the level, not on the machine. Chunks should be large (1 MiB), and must not
 * change before `done` gets them.
 */
export async function* parallelGzip(
  chunks: AsyncIterable<Buffer>,
  level: number,
  done: (chunk: Buffer) => void = () => {},
): AsyncGenerator<Buffer> {
  const most = Math.min(MOST, availableParallelism()) + 1;
  const running: { chunk: Buffer; work: Promise<Buffer[]> }[] = [];
  async function* first(): AsyncGenerator<Buffer> {
    const { chunk, work } = running.shift()!;
    yield* await work;
    done(chunk);
  }
  let before: Buffer = Buffer.alloc(0);
  let checksum = 0;
  let size = 0;
  yield HEADER;
  try {
    for await (const chunk of chunks) {
      if (chunk.length === 0) continue;
      const work = compressChunk(chunk, before, level);
      work.catch(() => {});
      running.push({ chunk, work });
      checksum = crc32(chunk, checksum);
      size += chunk.length;
      before = Buffer.from(endOf(before, chunk, chunk.length));
      if (running.length >= most) yield* first();
    }
    while (running.length > 0) yield* first();
  } finally {
    await Promise.allSettled(running.map(({ work }) => work));
  }
  const end = Buffer.alloc(8);
  end.writeUInt32LE(checksum >>> 0, 0);
  end.writeUInt32LE(size % 2 ** 32, 4);
  yield LAST_BLOCK;
  yield end;
}

async function compressChunk(chunk: Buffer, before: Buffer, level: number): Promise<Buffer[]> {
  const runs: Run[] = level === 0 ? [{ from: 0, to: chunk.length, stored: true }] : runsOf(chunk);
  const parts = await Promise.all(
    runs.map(async ({ from, to, stored }) => {
      const bytes = chunk.subarray(from, to);
      if (stored) return storedBlocks(bytes);
      const dictionary = endOf(before, chunk, from);
      return [
        await compress(bytes, {
          level,
          // Some 10 % faster than zlib's own 8, for 128 KiB more.
          memLevel: 9,
          finishFlush: constants.Z_SYNC_FLUSH,
          // Mostly all at once: else each 16 KiB wait for a turn of this thread.
          chunkSize: Math.max(LEAST_OUTPUT, bytes.length >> 1),
          ...(dictionary.length > 0 && { dictionary }),
        }),
      ];
    }),
  );
  return parts.flat();
}

/** What deflate looks back on at byte `at` of a chunk. */
function endOf(before: Buffer, chunk: Buffer, at: number): Buffer {
  if (at >= WINDOW || before.length === 0) return chunk.subarray(Math.max(0, at - WINDOW), at);
  if (at === 0) return before;
  return Buffer.concat([before.subarray(-(WINDOW - at)), chunk.subarray(0, at)]);
}
