import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parallelGzip } from '../../src/export/parallel-gzip.ts';

async function* each(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function compressed(chunks: readonly Buffer[], level: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of parallelGzip(each(chunks), level)) parts.push(part);
  return Buffer.concat(parts);
}

const chunks = fc.array(
  fc
    .tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(3000))
    .map(([bytes, times]) => Buffer.concat(Array<Uint8Array>(times).fill(bytes))),
  { maxLength: 8 },
);

test('what is compressed in pieces is one member that comes back', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 0, max: 9 }), async (data, level) => {
      const bytes = await compressed(data, level);
      expect(gunzipSync(bytes).equals(Buffer.concat(data))).toBe(true);
      expect((await compressed(data, level)).equals(bytes)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('gzip reads it, and what repeats across pieces costs little', async () => {
  const piece = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * i * 31) & 255));
  const bytes = await compressed(Array<Buffer>(50).fill(piece), 6);
  const back = execFileSync('gzip', ['-dc'], { input: bytes, maxBuffer: 1 << 24 });
  expect(back.equals(Buffer.concat(Array<Buffer>(50).fill(piece)))).toBe(true);
  expect(bytes.length).toBeLessThan((await compressed([piece], 6)).length + 50 * 500);
});

test('a source that fails ends it', async () => {
  async function* failing(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(1000);
    throw new Error('the disk is gone');
  }
  const read = async (): Promise<void> => {
    for await (const _ of parallelGzip(failing(), 4));
  };
  await expect(read()).rejects.toThrow('the disk is gone');
});
