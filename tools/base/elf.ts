import { closeSync, openSync, readSync } from 'node:fs';

const PT_INTERP = 3;
const HEADER_BYTES = 64;

/** How a program file gets its libraries: `static` needs nothing but the kernel, `script` and the like are `other`. */
export type Linkage = 'static' | 'dynamic' | 'other';

/**
 * Tells from the ELF program headers whether the program at `path` (symbolic links are followed) needs a dynamic
 * loader: an executable with a PT_INTERP segment does. Both classes and both byte orders are read.
 *
 * @throws the error of open(2) or read(2) when the file cannot be read
 */
export function linkageOf(path: string): Linkage {
  const fd = openSync(path, 'r');
  try {
    const header = readAt(fd, 0, HEADER_BYTES);
    if (header.length < HEADER_BYTES || header.toString('latin1', 0, 4) !== '\x7fELF') return 'other';
    return segmentTypes(fd, header).includes(PT_INTERP) ? 'dynamic' : 'static';
  } finally {
    closeSync(fd);
  }
}

function segmentTypes(fd: number, header: Buffer): number[] {
  const wide = header[4] === 2;
  const little = header[5] === 1;
  const u16 = (at: number) => (little ? header.readUInt16LE(at) : header.readUInt16BE(at));
  const u32 = (buffer: Buffer, at: number) => (little ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at));
  const u64 = (at: number) => Number(little ? header.readBigUInt64LE(at) : header.readBigUInt64BE(at));
  const offset = wide ? u64(32) : u32(header, 28);
  const size = u16(wide ? 54 : 42);
  const count = u16(wide ? 56 : 44);
  const table = readAt(fd, offset, size * count);
  const types: number[] = [];
  for (let at = 0; size >= 4 && at + size <= table.length; at += size) types.push(u32(table, at));
  return types;
}

function readAt(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
}
