import { SlipwayError } from '../../errors/index.ts';
import type { ErrorSubject } from '../../errors/subject.ts';

/** Version of the protocol between front and worker; both sides come from one package, so it must be equal. */
export const PROTOCOL_VERSION = 1;

/** No frame may be larger: 256 MiB holds the file list of about a million files. */
const MAX_FRAME = 256 * 1024 * 1024;

/** What travels: a JSON header, and bytes that need no encoding (logs, secrets, configuration documents). */
export interface Frame {
  header: FrameHeader;
  payload: Buffer;
}

export type FrameHeader =
  | { type: 'request'; id: number; operation: string; params: unknown }
  | { type: 'cancel'; id: number }
  | { type: 'event'; id: number; event: unknown }
  | { type: 'ask'; id: number; ask: number; question: unknown }
  | { type: 'answer'; id: number; ask: number; answer: unknown }
  | { type: 'result'; id: number; result: unknown }
  | { type: 'error'; id: number; error: WireError };

/** An error on the wire; `slipway` tells a `SlipwayError` from a defect. */
export interface WireError {
  slipway: boolean;
  kind: string;
  code: string;
  message: string;
  hint?: string | undefined;
  subject?: ErrorSubject | undefined;
  exitCode?: number | undefined;
  stack?: string | undefined;
}

/** u32 length of the rest, u32 length of the header, header (JSON, UTF-8), payload; little endian. */
export function encodeFrame(header: FrameHeader, payload: Uint8Array = new Uint8Array(0)): Buffer[] {
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.allocUnsafe(8);
  prefix.writeUInt32LE(4 + json.length + payload.length, 0);
  prefix.writeUInt32LE(json.length, 4);
  const head = Buffer.concat([prefix, json]);
  return payload.length === 0
    ? [head]
    : [head, Buffer.from(payload.buffer, payload.byteOffset, payload.length)];
}

/** Cuts a byte stream into frames; `push` takes pieces of any size. Throws `internal` for a frame that is too large. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #length = 0;
  readonly #onFrame: (frame: Frame) => void;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#pieces.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= 8) {
      const head = this.#peek(8);
      const total = head.readUInt32LE(0);
      if (total > MAX_FRAME) {
        throw new SlipwayError('internal', `a frame of ${total} bytes exceeds the limit of ${MAX_FRAME}`, {
          code: 'FRAME_TOO_LARGE',
        });
      }
      if (this.#length < 4 + total) return;
      const frame = this.#take(4 + total);
      const headerLength = frame.readUInt32LE(4);
      const header = JSON.parse(frame.toString('utf8', 8, 8 + headerLength)) as FrameHeader;
      this.#onFrame({ header, payload: frame.subarray(8 + headerLength) });
    }
  }

  #peek(size: number): Buffer {
    const first = this.#pieces[0]!;
    if (first.length >= size) return first;
    this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0]!;
  }

  #take(size: number): Buffer {
    const all = this.#peek(size);
    this.#length -= size;
    if (all.length === size) this.#pieces.shift();
    else this.#pieces[0] = all.subarray(size);
    return all.subarray(0, size);
  }
}
