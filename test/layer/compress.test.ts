import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { decompress, detectCompression } from '../../src/layer/compress.ts';
import { failure, pieces, tempDir } from './support.ts';

const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(3_000_000, 'text '), randomBytes(1000)]);
const tool = (program: string, ...args: string[]) =>
  execFileSync(program, ['-c', ...args], { input: content, maxBuffer: 1 << 30 });

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const forms = {
  gzip: gzipSync(content),
  zstd: zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  xz: tool('xz'),
  bzip2: tool('bzip2'),
};
const path = process.env.PATH;

afterEach(() => {
  process.env.PATH = path;
});

/** A PATH without bzip2, so that the library does its work. */
function withoutPrograms(): void {
  process.env.PATH = tempDir();
}

test('told by the first bytes', () => {
  expect(Object.values(forms).map((data) => detectCompression(data))).toEqual([
    'gzip',
    'zstd',
    'xz',
    'bzip2',
  ]);
  expect(detectCompression(Buffer.from('502a4d18', 'hex'))).toBe('zstd');
  for (const plain of ['', '1f', 'BZ', 'dir/\0', 'plain text']) {
    expect(detectCompression(Buffer.from(plain))).toBe('none');
  }
});

describe.each(Object.entries(forms))('%s', (kind, data) => {
  const libraries = kind === 'bzip2' ? [true, false] : [true];

  test.each(libraries)('in chunks of any size (program: %s)', async (programs) => {
    if (!programs) withoutPrograms();
    for (const size of [1000, 1 << 20]) {
      expect((await collect(decompress(pieces(data, size)))).equals(content)).toBe(true);
    }
  });

  test.each(libraries)('several, one after the other (program: %s)', async (programs) => {
    if (!programs) withoutPrograms();
    const twice = await collect(decompress(pieces(Buffer.concat([data, data]))));
    expect(twice.equals(Buffer.concat([content, content]))).toBe(true);
  });

  test.each(libraries)('truncated or damaged (program: %s)', async (programs) => {
    if (!programs) withoutPrograms();
    const short = data.subarray(0, data.length - 20);
    const damaged = Buffer.from(data);
    damaged.fill(0x55, 200, 240);
    for (const bad of [short, damaged]) {
      const text = await failure(async () => {
        await collect(decompress(pieces(bad)));
      });
      expect(text).toMatch(new RegExp(`^invalid BAD_COMPRESSION: bad ${kind} data`));
    }
  });

  test.each(libraries)('an error of the source comes through (program: %s)', async (programs) => {
    if (!programs) withoutPrograms();
    async function* broken(): AsyncGenerator<Buffer> {
      yield data.subarray(0, 100_000);
      throw new Error('connection lost');
    }
    expect(await failure(() => collect(decompress(broken())))).toBe('undefined undefined: connection lost');
  });

  test('whoever stops early stops the source', async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        yield data.subarray(0, 1000);
        for (let at = 1000; ; at += 1000) yield data.subarray(at % data.length, (at % data.length) + 1000);
      } finally {
        closed = true;
      }
    }
    const stream = decompress(endless());
    await stream.next();
    await stream.return(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(true);
  });
});

test('what is not compressed passes through', async () => {
  for (const plain of [Buffer.alloc(0), Buffer.from('abc'), randomBytes(100_000)]) {
    expect((await collect(decompress(pieces(plain, 7)))).equals(plain)).toBe(true);
  }
});

test('many frames of zstd, skippable ones among them, cut anywhere', async () => {
  const skip = (size: number) => {
    const frame = Buffer.alloc(8 + size, 'x');
    frame.writeUInt32LE(0x184d2a5e, 0);
    frame.writeUInt32LE(size, 4);
    return frame;
  };
  const frames: Buffer[] = [skip(5)];
  const parts: Buffer[] = [];
  for (let i = 0; i < 60; i++) {
    const part = i % 3 === 0 ? randomBytes(i * 50) : Buffer.alloc(i * 5000, `part ${i}`);
    parts.push(part);
    const checksum = { params: { [constants.ZSTD_c_checksumFlag]: i % 2 } };
    frames.push(zstdCompressSync(part, checksum), skip(i % 4));
  }
  // What the program makes from a pipe has no content size and a window descriptor.
  frames.push(tool('zstd'), tool('zstd', '--no-check'));
  const data = Buffer.concat(frames);
  const wanted = Buffer.concat([...parts, content, content]);
  for (const size of [7, 1000, 1 << 20]) {
    expect((await collect(decompress(pieces(data, size)))).equals(wanted)).toBe(true);
  }
  const garbage = await failure(() =>
    collect(decompress(pieces(Buffer.concat([forms.zstd, Buffer.from('odd bytes')])))),
  );
  expect(garbage).toBe('invalid BAD_COMPRESSION: bad zstd data: no frame where one should begin');
});

test('a whole compressed archive of GNU tar', async () => {
  const dir = tempDir();
  fs.writeFileSync(join(dir, 'f'), content);
  const { readTar } = await import('./support.ts');
  for (const flag of ['-z', '-j', '-J']) {
    const tar = await collect(
      decompress(pieces(execFileSync('tar', [flag, '-C', dir, '-cf', '-', 'f'], { maxBuffer: 1 << 30 }))),
    );
    expect(readTar(tar)[0]!.content.equals(content)).toBe(true);
  }
});
