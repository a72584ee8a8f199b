import { Buffer } from 'node:buffer';
import { readFileSync, writeSync } from 'node:fs';
import { isErrno } from '../errors/index.ts';

/** A piece of a step's output, as it came. */
export interface LogChunk {
  stream: 'stdout' | 'stderr';
  /** Milliseconds since 1970. */
  time: number;
  data: Buffer;
}

/** Time (float64), stream (1 byte: 1 or 2), length (uint32), little endian; then the bytes. */
const HEADER = 13;

export function appendLog(
  fd: number,
  chunk: { stream: LogChunk['stream']; time: number; data: Uint8Array },
): void {
  const { stream, time, data } = chunk;
  const frame = Buffer.allocUnsafe(HEADER + data.byteLength);
  frame.writeDoubleLE(time, 0);
  frame[8] = stream === 'stdout' ? 1 : 2;
  frame.writeUInt32LE(data.byteLength, 9);
  frame.set(data, HEADER);
  for (let at = 0; at < frame.length; ) at += writeSync(fd, frame, at);
}

/** All of a log; none where the file is not there. What a killed process left half-written at the end is dropped. */
export function readLog(path: string): LogChunk[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  const chunks: LogChunk[] = [];
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const end = at + HEADER + bytes.readUInt32LE(at + 9);
    if (end > bytes.length) break;
    chunks.push({
      time: bytes.readDoubleLE(at),
      stream: bytes[at + 8] === 1 ? 'stdout' : 'stderr',
      data: bytes.subarray(at + HEADER, end),
    });
    at = end;
  }
  return chunks;
}
