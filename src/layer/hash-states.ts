import { hash } from 'node:crypto';
import { SHA256_STATE_BYTES } from '../sys/resumable-sha256.ts';
import { ByteReader, ByteWriter } from './listing-bytes.ts';

/** Where in an archive its hash can be taken up again: before an entry. */
export interface HashState {
  /** Number of the entry that comes next. */
  entry: number;
  /** Bytes of the archive before it. */
  offset: number;
  /** Sum of the file sizes before it. */
  size: number;
  state: Buffer;
}

/** Bytes of an archive between two states: packing them again costs about a millisecond. */
export const STATE_DISTANCE = 256 * 1024;

const MAGIC = 'SLHS';
const VERSION = 1;
const CHECK_BYTES = 32;

export function encodeHashStates(states: readonly HashState[]): Buffer {
  const out = new ByteWriter(64 + states.length * 56);
  out.text(MAGIC);
  out.number(VERSION);
  out.number(states.length);
  for (const { entry, offset, size, state } of states) {
    out.number(entry);
    out.number(offset);
    out.number(size);
    out.bytes(state);
  }
  const body = out.done();
  return Buffer.concat([body, hash('sha256', body, 'buffer')]);
}

/** Undefined for what is damaged or of another version: without states all is hashed. */
export function decodeHashStates(bytes: Buffer): HashState[] | undefined {
  const body = bytes.subarray(0, -CHECK_BYTES);
  if (bytes.length <= CHECK_BYTES || !hash('sha256', body, 'buffer').equals(bytes.subarray(-CHECK_BYTES)))
    return undefined;
  const input = new ByteReader(body);
  if (input.text(MAGIC.length) !== MAGIC || input.number() !== VERSION) return undefined;
  const states: HashState[] = [];
  for (let left = input.number(); left > 0; left--) {
    const [entry, offset, size, state] = [input.number(), input.number(), input.number(), input.bytes()];
    if (state.length !== SHA256_STATE_BYTES) return undefined;
    states.push({ entry, offset, size, state });
  }
  return states;
}
