import { Incompressible, LEAST_PIECE } from './incompressible.ts';

/** What is told to be compressible or not as one. */
const PIECE = 16 << 10;
/** RFC 1951, 3.2.4: the length of a stored block has 16 bits. */
const MOST_STORED = 0xffff;

/** Bytes of a chunk that are compressed, or stored, in one go. */
export interface Run {
  from: number;
  /** Exclusive. */
  to: number;
  stored: boolean;
}

/** Cuts a chunk where it becomes incompressible, or ceases to be so. Depends on its bytes alone. */
export function runsOf(chunk: Buffer): Run[] {
  const incompressible = new Incompressible();
  const runs: Run[] = [];
  for (let from = 0; from < chunk.length; ) {
    // What is left over behind the last whole piece belongs to it.
    const to = chunk.length - from < 2 * PIECE ? chunk.length : from + PIECE;
    const stored = to - from >= LEAST_PIECE && incompressible.tell(chunk.subarray(from, to));
    const last = runs.at(-1);
    if (last?.stored === stored) last.to = to;
    else runs.push({ from, to, stored });
    from = to;
  }
  return runs;
}

/** Bytes as stored blocks of a deflate stream that stands at a byte's boundary, none of them its last one. */
export function storedBlocks(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += MOST_STORED) {
    const part = bytes.subarray(at, at + MOST_STORED);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(part.length, 1);
    header.writeUInt16LE(part.length ^ 0xffff, 3);
    parts.push(header, part);
  }
  return parts;
}
