import { readdirSync } from 'node:fs';
import { release } from 'node:os';
import type { Need } from './need.ts';

/** A processor that this machine has not, and what its kernel calls it. */
export const FOREIGN = { platform: 'linux/arm64', machine: 'aarch64', qemu: 'qemu-aarch64-static' } as const;

/** A kernel that lets a user namespace have emulators of its own, and a processor that is not the foreign one. */
export function ownEmulators(): Need {
  return () => {
    if (process.arch !== 'x64') return 'needs a machine of the architecture amd64';
    const [major, minor] = release().split('.').map(Number) as [number, number];
    return major > 6 || (major === 6 && minor >= 7) ? undefined : `needs Linux 6.7, this is ${release()}`;
  };
}

/** Emulators that are registered for the whole machine; empty where there are none or nobody can see them. */
export function registered(): string[] {
  try {
    return readdirSync('/proc/sys/fs/binfmt_misc').filter((name) => name !== 'register' && name !== 'status');
  } catch {
    return [];
  }
}

/**
 * A static program for arm64: it asks the kernel what machine this is (uname) and writes the name into the file
 * `/machine`. Its exit code is that of the last call.
 */
export function foreignProgram(): Buffer {
  const [AT_FDCWD, O_WRONLY_CREAT] = [-100, 0o101];
  const base = 0x400000;
  const headers = 64 + 56;
  const text: number[] = [];
  const movz = (register: number, value: number, shift = 0): void =>
    void text.push(0xd2800000 | ((shift / 16) << 21) | ((value & 0xffff) << 5) | register);
  const movk = (register: number, value: number, shift: number): void =>
    void text.push(0xf2800000 | ((shift / 16) << 21) | ((value & 0xffff) << 5) | register);
  const movn = (register: number, value: number): void =>
    void text.push(0x92800000 | (value << 5) | register);
  const address = (register: number, offset: number): void => {
    movz(register, (base + offset) >>> 16, 16);
    movk(register, offset, 0);
  };
  const call = (number: number): void => {
    movz(8, number);
    text.push(0xd4000001);
  };
  // Code, then the path, then room for struct utsname: six fields of 65 bytes, the machine is the fifth.
  const path = headers + 200;
  const utsname = headers + 240;
  address(0, utsname);
  call(160); // uname
  movn(0, -AT_FDCWD - 1);
  address(1, path);
  movz(2, O_WRONLY_CREAT);
  movz(3, 0o644);
  call(56); // openat
  address(1, utsname + 4 * 65);
  movz(2, FOREIGN.machine.length);
  call(64); // write
  movz(0, 0);
  call(93); // exit
  const size = utsname + 6 * 65;
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(183, 18); // EM_AARCH64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(base + headers), 24);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(7, 68);
  file.writeBigUInt64LE(BigInt(base), 80);
  file.writeBigUInt64LE(BigInt(base), 88);
  file.writeBigUInt64LE(BigInt(size), 96);
  file.writeBigUInt64LE(BigInt(size), 104);
  file.writeBigUInt64LE(4096n, 112);
  for (const [index, word] of text.entries()) file.writeUInt32LE(word >>> 0, headers + 4 * index);
  file.write('/machine', path);
  return file;
}
