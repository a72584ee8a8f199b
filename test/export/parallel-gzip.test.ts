import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
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

function byGzip(input: Buffer): Buffer {
  return execFileSync('gzip', ['-dc'], { input, maxBuffer: 1 << 26 });
}

/** Bytes that nothing makes smaller, the same for the same seed. */
function randomLike(size: number, seed: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size));
}

function cut(data: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(data.length / size) }, (_, index) =>
    data.subarray(index * size, (index + 1) * size),
  );
}

const repeating = fc
  .tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(3000))
  .map(([bytes, times]) => Buffer.concat(Array<Uint8Array>(times).fill(bytes)));
const random = fc.tuple(fc.nat(255), fc.nat(150_000)).map(([seed, size]) => randomLike(size, seed));
const chunks = fc.array(fc.oneof(repeating, random), { maxLength: 8 });

test('what is compressed in pieces is one member that comes back', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 0, max: 9 }), async (data, level) => {
      const bytes = await compressed(data, level);
      expect(gunzipSync(bytes).equals(Buffer.concat(data))).toBe(true);
      expect((await compressed(data, level)).equals(bytes)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test('also cut at any size, and gzip reads it', async () => {
  const size = fc.oneof(fc.integer({ min: 200, max: 70_000 }), fc.integer({ min: 70_000, max: 1 << 20 }));
  await fc.assert(
    fc.asyncProperty(chunks, size, fc.integer({ min: 0, max: 9 }), async (parts, most, level) => {
      const data = Buffer.concat(parts);
      expect(byGzip(await compressed(cut(data, most), level)).equals(data)).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test('what cannot be compressed costs a few bytes', async () => {
  const data = randomLike(3 << 20, 1);
  const bytes = await compressed(cut(data, 1 << 20), 6);
  expect(bytes.length - data.length).toBeLessThan(data.length / 5000);
  expect(byGzip(bytes).equals(data)).toBe(true);
});

test('level 0 stores all', async () => {
  const data = Buffer.alloc(200_000, 'text ');
  const bytes = await compressed([data], 0);
  expect(bytes.includes(data.subarray(0, 60_000))).toBe(true);
  expect(byGzip(bytes).equals(data)).toBe(true);
});

test('what looks random and comes again is compressed', async () => {
  const cases: Record<string, Buffer> = {
    'all bytes in order': Buffer.from(Array.from({ length: 1 << 20 }, (_, at) => at & 255)),
    'a block of 10,000': Buffer.concat(Array<Buffer>(50).fill(randomLike(10_000, 2))),
    'a block of 25,000': Buffer.concat(Array<Buffer>(20).fill(randomLike(25_000, 3))),
    'words of four bytes, the upper two empty': Buffer.from(
      randomLike(1 << 19, 4).map((byte, at) => (at % 4 < 2 ? byte : 0)),
    ),
  };
  for (const [name, data] of Object.entries(cases)) {
    const bytes = await compressed(cut(data, 1 << 20), 4);
    expect(bytes.length / data.length, name).toBeLessThan(0.7);
    expect(gunzipSync(bytes).equals(data), name).toBe(true);
  }
});

test('gzip reads it, and what repeats across pieces costs little', async () => {
  const piece = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * i * 31) & 255));
  const bytes = await compressed(Array<Buffer>(50).fill(piece), 6);
  const back = byGzip(bytes);
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
