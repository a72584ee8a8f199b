import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { packLayer } from '../../src/layer/pack.ts';
import type { PackOptions, PackResult } from '../../src/layer/pack-options.ts';
import type { TarHeader } from '../../src/layer/tar-format.ts';
import { TarReader } from '../../src/layer/tar-read.ts';
import { encodeTarHeader, endOfArchive } from '../../src/layer/tar-write.ts';
import { type UnpackOptions, type UnpackResult, unpackLayer } from '../../src/layer/unpack.ts';

// What tests create must not depend on who runs them.
process.umask(0o022);

const base = fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const made: string[] = [];

/** A new empty directory, removed after the tests of the file. */
export function tempDir(): string {
  const dir = fs.mkdtempSync(join(base, 'slipway-layer-'));
  made.push(dir);
  return dir;
}

afterAll(() => {
  for (const dir of made.splice(0)) execFileSync('rm', ['-rf', dir]);
});

export function pack(dir: string, options?: PackOptions): PackResult & { tar: Buffer } {
  const chunks: Buffer[] = [];
  const result = packLayer(dir, (chunk) => chunks.push(Buffer.from(chunk)), options);
  return { ...result, tar: Buffer.concat(chunks) };
}

/** The bytes in pieces of `size`, as a stream gives them. */
export async function* pieces(data: Buffer, size = 65536): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

export async function unpack(
  tar: Buffer,
  options?: UnpackOptions,
  size?: number,
): Promise<UnpackResult & { dir: string }> {
  const dir = tempDir();
  return { ...(await unpackLayer(pieces(tar, size), dir, options)), dir };
}

export interface ReadEntry extends TarHeader {
  content: Buffer;
}

/** All entries with their content, holes filled, from chunks of `size`. */
export function readTar(tar: Buffer, size = 10240): ReadEntry[] {
  const entries: ReadEntry[] = [];
  const reader = new TarReader({
    entry: (header) => entries.push({ ...header, content: Buffer.alloc(Math.min(header.size, 64 << 20)) }),
    data: (chunk, offset) => chunk.copy(entries.at(-1)!.content, offset),
    end: () => {},
  });
  for (let at = 0; at < tar.length; at += size) reader.write(tar.subarray(at, at + size));
  reader.end();
  return entries;
}

export type Part = Partial<TarHeader> & { path: string; content?: string | Buffer };

/** An archive of these entries, written as they are said, sane or not. */
export function makeTar(parts: Part[]): Buffer {
  const blocks: Buffer[] = [];
  for (const { content = '', ...part } of parts) {
    const data = Buffer.from(content as string);
    const size = part.size ?? data.length;
    const type = part.type ?? (part.path.endsWith('/') ? 'directory' : 'file');
    blocks.push(encodeTarHeader({ mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, ...part, type, size }), data);
    blocks.push(Buffer.alloc((512 - (data.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, endOfArchive]);
}

/** Writes `bytes` into the first header at `offset` and makes its checksum right again. */
export function patch(tar: Buffer, offset: number, bytes: string): Buffer {
  tar.write(bytes, offset, 'latin1');
  tar.write('        ', 148);
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += tar[i]!;
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return tar;
}

/** The blocks of an extended header with that body, without an end of the archive. */
export function extended(body: Buffer, flag: 'x' | 'g' = 'x'): Buffer {
  return patch(makeTar([{ path: 'x', content: body }]).subarray(0, -1024), 156, flag);
}

/** Names below a directory with what the kernel says of them, in the packer's order. */
export function treeOf(dir: string): string[] {
  const out = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U:%G %l\\0'], {
    cwd: dir,
    encoding: 'latin1',
  });
  return out.split('\0').filter(Boolean).sort();
}

/** Runs a Python script on an input and returns what it prints. */
export function python(script: string, input?: Buffer | string): Buffer {
  const result = spawnSync('python3', ['-c', script], { input, maxBuffer: 1 << 30 });
  if (result.status !== 0) throw new Error(result.stderr.toString());
  return result.stdout;
}

/** What an action fails with, in short; for inline snapshots. */
export async function failure(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    const { kind, code, message } = error as { kind?: string; code?: string; message: string };
    return `${kind} ${code}: ${message}`;
  }
  return 'no failure';
}
