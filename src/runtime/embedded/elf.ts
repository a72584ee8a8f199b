import type { ScriptArch } from './machine-code.ts';

/**
 * Where the two parts of a program lie. Both are congruent to their file offsets modulo 64 KiB, the largest page
 * of arm64, so that the file needs no padding: the data's page holds a private copy of the code beside it.
 */
const CODE_ADDRESS = 0x400000;
const DATA_ADDRESS = 0x10000000;

const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const ALIGNMENT = 0x10000;

const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const [R, W, X] = [4, 2, 1];

const machine: Record<ScriptArch, number> = { x86_64: 62, arm64: 183 };

/** Offset of the code in the file: after the ELF header and three program headers. */
const codeOffset = HEADER_SIZE + 3 * PROGRAM_HEADER_SIZE;

/** Address of the first data byte in a program whose code has `codeSize` bytes. */
export function dataAddress(codeSize: number): number {
  return DATA_ADDRESS + dataOffset(codeSize);
}

/**
 * A static executable: `code` is entered at its first byte, `data` lies at `dataAddress(code.length)` and may be
 * written. Nothing is both writable and executable; the stack is not executable.
 */
export function writeElf(arch: ScriptArch, code: Buffer, data: Buffer): Buffer {
  const start = dataOffset(code.length);
  const file = Buffer.alloc(start + data.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, /* 64 bit */ 2, /* little endian */ 1, /* version */ 1]);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(machine[arch], 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(CODE_ADDRESS + codeOffset), 24);
  file.writeBigUInt64LE(BigInt(HEADER_SIZE), 32);
  file.writeUInt16LE(HEADER_SIZE, 52);
  file.writeUInt16LE(PROGRAM_HEADER_SIZE, 54);
  file.writeUInt16LE(3, 56);

  const headers = [
    { type: PT_LOAD, flags: R | X, offset: 0, address: CODE_ADDRESS, size: codeOffset + code.length },
    { type: PT_LOAD, flags: R | W, offset: start, address: DATA_ADDRESS + start, size: data.length },
    { type: PT_GNU_STACK, flags: R | W, offset: 0, address: 0, size: 0 },
  ];
  headers.forEach(({ type, flags, offset, address, size }, i) => {
    const at = HEADER_SIZE + i * PROGRAM_HEADER_SIZE;
    file.writeUInt32LE(type, at);
    file.writeUInt32LE(flags, at + 4);
    const words = [offset, address, address, size, size, type === PT_LOAD ? ALIGNMENT : 16];
    words.forEach((word, w) => {
      file.writeBigUInt64LE(BigInt(word), at + 8 + w * 8);
    });
  });
  code.copy(file, codeOffset);
  data.copy(file, start);
  return file;
}

function dataOffset(codeSize: number): number {
  return (codeOffset + codeSize + 15) & ~15;
}
