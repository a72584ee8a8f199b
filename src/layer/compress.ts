import { pipeline, Readable } from 'node:stream';
import { isErrno, SlipwayError } from '../errors/index.ts';

export type Compression = 'none' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

/** Bytes of a stream that must be known to tell its compression. */
export const MAGIC_LENGTH = 6;

const chunkSize = 1 << 20;

/** Tells the compression by the first bytes; `none` for anything unknown. */
export function detectCompression(start: Buffer): Compression {
  const hex = start.toString('hex', 0, MAGIC_LENGTH);
  if (hex.startsWith('1f8b08')) return 'gzip';
  if (hex.startsWith('425a68')) return 'bzip2';
  if (hex.startsWith('fd377a585a00')) return 'xz';
  // A frame, or a skippable one (RFC 8878, 3.1.2) as seekable formats begin with.
  if (hex.startsWith('28b52ffd') || /^5[0-9a-f]2a4d18/.test(hex)) return 'zstd';
  return 'none';
}

/**
 * The content of a stream whatever it is compressed with, told by its first bytes; several members or frames one
 * after the other are read as one. Chunks are up to 1 MiB.
 *
 * Throws `invalid` (`BAD_COMPRESSION`) for damaged or truncated data. Errors of `source` come through as they are.
 */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { start, stream } = await peek(source);
  const compression = detectCompression(start);
  if (compression === 'none') {
    yield* stream;
    return;
  }
  let sourceError: unknown;
  // As objects, pieces of zstd data stay the pieces that they were cut into.
  const input =
    compression === 'zstd'
      ? Readable.from(remember(zstdPieces(stream)), { objectMode: true })
      : Readable.from(remember(stream), { objectMode: false, highWaterMark: chunkSize });
  try {
    yield* await decoded(compression, input);
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('invalid', `bad ${compression} data`, { code: 'BAD_COMPRESSION', cause: error });
  } finally {
    input.destroy();
  }

  async function* remember(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* chunks;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  }
}

async function decoded(kind: Exclude<Compression, 'none'>, input: Readable): Promise<AsyncIterable<Buffer>> {
  switch (kind) {
    case 'gzip': {
      const { createGunzip } = await import('node:zlib');
      return joined(input, createGunzip({ chunkSize }));
    }
    case 'zstd': {
      const { createZstdDecompress } = await import('node:zlib');
      return joined(input, createZstdDecompress({ chunkSize }));
    }
    case 'xz': {
      // A CommonJS module: Node has its exports under `default` alone, bundlers and test runners by name.
      const library = await import('xz-decompress');
      const { XzReadableStream } = (library as Partial<typeof library>).default ?? library;
      const web = new XzReadableStream(Readable.toWeb(input) as ReadableStream<Uint8Array>);
      return Readable.fromWeb(web as Parameters<typeof Readable.fromWeb>[0], { highWaterMark: chunkSize });
    }
    case 'bzip2':
      return await bunzip2(input);
  }
}

/** Zstd data cut where its frames end. */
async function* zstdPieces(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { ZstdFrames } = await import('./zstd-frames.ts');
  const frames = new ZstdFrames();
  for await (const chunk of stream) yield* frames.split(chunk);
  frames.end();
}

/** The program is three times as fast as the library, and may be missing. */
async function bunzip2(input: Readable): Promise<AsyncIterable<Buffer>> {
  const { spawn } = await import('node:child_process');
  const child = spawn('bzip2', ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const started = await new Promise<boolean>((resolve, reject) => {
    child.once('spawn', () => resolve(true));
    child.once('error', (error) => (isErrno(error, 'ENOENT') ? resolve(false) : reject(error)));
  });
  if (!started) {
    const { default: unbzip2 } = await import('unbzip2-stream');
    const output = unbzip2();
    // It is older than the streams that pass on errors and can be iterated.
    const wrapped = new Readable({ highWaterMark: chunkSize }).wrap(output);
    input.on('error', (error) => wrapped.destroy(error));
    input.pipe(output);
    return wrapped;
  }
  return runProgram(child, input);
}

async function* runProgram(
  child: import('node:child_process').ChildProcessWithoutNullStreams,
  input: Readable,
): AsyncGenerator<Buffer> {
  let message = '';
  let inputError: Error | undefined;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    message = (message + text).slice(0, 1000);
  });
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  pipeline(input, child.stdin, (error) => {
    // The program may stop reading when it has found an error: its exit code says so.
    if (error && !isErrno(error, 'EPIPE')) {
      inputError = error;
      child.kill();
    }
  });
  try {
    yield* child.stdout;
    const code = await exit;
    if (inputError !== undefined) throw inputError;
    if (code !== 0) throw new Error(message.trim() || `bzip2 exited with ${code}`);
  } finally {
    child.kill();
  }
}

/** `input` piped into `output`, either's failure seen by whoever reads. */
function joined(input: Readable, output: NodeJS.ReadWriteStream): AsyncIterable<Buffer> {
  pipeline(input, output, () => {
    // The reader of `output` gets the error: pipeline destroys it with that.
  });
  return output as unknown as AsyncIterable<Buffer>;
}

/** The first bytes, and the whole stream as if they had not been read. */
async function peek(
  source: AsyncIterable<Buffer>,
): Promise<{ start: Buffer; stream: AsyncIterable<Buffer> }> {
  const iterator = source[Symbol.asyncIterator]();
  let start: Buffer = Buffer.alloc(0);
  while (start.length < MAGIC_LENGTH) {
    const next = await iterator.next();
    if (next.done) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    try {
      if (start.length > 0) yield start;
      for (;;) {
        const next = await iterator.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { start, stream: all() };
}
