import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elfPattern, type Processor } from './processors.ts';

/** Where the kernel shows what is registered (Linux, admin-guide/binfmt-misc). */
export const BINFMT = '/proc/sys/fs/binfmt_misc';

/**
 * Whether a mounted binfmt_misc starts the processor's programs with an emulator that containers need not have: one that
 * was opened when it was registered (flag F).
 */
export function hasEmulator(directory: string, processor: Processor): boolean {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return false;
  }
  return names.some(
    (name) => name !== 'register' && name !== 'status' && fits(join(directory, name), processor),
  );
}

function fits(path: string, processor: Processor): boolean {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    return false;
  }
  const word = (name: string): string => new RegExp(`^${name}:? ?(.*)$`, 'm').exec(text)?.[1] ?? '';
  if (!/^enabled$/m.test(text) || !word('flags').includes('F') || word('offset') !== '0') return false;
  const magic = Buffer.from(word('magic'), 'hex');
  const wanted = elfPattern(processor).magic;
  const mask = word('mask') === '' ? Buffer.alloc(magic.length, 0xff) : Buffer.from(word('mask'), 'hex');
  if (magic.length < wanted.length || mask.length !== magic.length) return false;
  return wanted.every((byte, at) => (byte & mask[at]!) === (magic[at]! & mask[at]!));
}

/**
 * The line that registers an emulator: P keeps the program's own first argument, O and C give it the rights of the
 * program's file, F opens the emulator now, so that every root directory sees it.
 */
export function registration(processor: Processor, emulator: string): string {
  const { magic, mask } = elfPattern(processor);
  const escaped = (bytes: Buffer): string => bytes.toString('hex').replace(/../g, '\\x$&');
  return `:qemu-${processor.qemu}:M:0:${escaped(magic)}:${escaped(mask)}:${emulator}:POCF`;
}

/** Registers an emulator with a mounted binfmt_misc. */
export function register(directory: string, processor: Processor, emulator: string): void {
  writeFileSync(join(directory, 'register'), registration(processor, emulator));
}
