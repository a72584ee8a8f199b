import { O_CLOEXEC } from './constants.ts';
import type { Sys } from './sys.ts';

/** A pipe: both descriptors are close-on-exec; the caller closes them. Node has no call for one. */
export function openPipe(sys: Sys): { read: number; write: number } {
  const ends = Buffer.alloc(8);
  sys.syscall(process.arch === 'arm64' ? 59 : 293, ends, O_CLOEXEC);
  return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
}
