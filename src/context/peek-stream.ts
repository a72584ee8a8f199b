/** A stream whose beginning was looked at. */
export interface PeekedStream {
  /** As many bytes as asked for, fewer when the stream is shorter. */
  start: Buffer;
  /** All of it, `start` included. */
  stream: AsyncIterable<Buffer>;
}

/** Reads the first `length` bytes of a stream and gives them back in front of the rest. */
export async function peekStream(source: AsyncIterable<Buffer>, length: number): Promise<PeekedStream> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  let have = 0;
  while (have < length) {
    const next = await iterator.next();
    if (next.done) break;
    const chunk = typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
    chunks.push(chunk);
    have += chunk.length;
  }
  async function* all(): AsyncGenerator<Buffer> {
    try {
      yield* chunks;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { start: Buffer.concat(chunks).subarray(0, length), stream: all() };
}
