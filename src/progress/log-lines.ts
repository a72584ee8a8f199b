import { Buffer } from 'node:buffer';

/** A line of a log, or a piece of a very long one. Text may hold control characters; it has no line feed. */
export interface LogLine {
  /** When its first byte came. */
  time: number;
  text: string;
  /** It goes on where the piece before it stopped. */
  continues: boolean;
  /** The line has not ended with it. */
  open: boolean;
}

/** Lines longer than this are handed on in pieces, so that memory stays bounded. */
const PIECE_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/**
 * Cuts the output of a step into lines. Bytes that are not UTF-8 become U+FFFD; characters split between chunks do
 * not.
 */
export class LogLines {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #held: Buffer[] = [];
  #heldBytes = 0;
  #heldSince = 0;
  #midLine = false;

  /** Takes a chunk; gives the lines that are complete now. */
  push(data: Uint8Array, time: number): LogLine[] {
    const chunk = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const lines: LogLine[] = [];
    const end = chunk.lastIndexOf(LINE_FEED);
    let rest = chunk;
    if (end >= 0) {
      const since = this.#heldBytes > 0 ? this.#heldSince : time;
      const text = this.#decode(chunk.subarray(0, end), false);
      rest = chunk.subarray(end + 1);
      text.split('\n').forEach((line, index) => {
        const first = index === 0;
        const ended = line.endsWith('\r') ? line.slice(0, -1) : line;
        lines.push({
          time: first ? since : time,
          text: ended,
          continues: first && this.#midLine,
          open: false,
        });
      });
      this.#midLine = false;
    }
    if (rest.length === 0) return lines;
    if (this.#heldBytes === 0) this.#heldSince = time;
    // A copy: the chunk's memory belongs to whoever sent it.
    this.#held.push(Buffer.from(rest));
    this.#heldBytes += rest.length;
    if (this.#heldBytes >= PIECE_BYTES) lines.push(this.#piece(true));
    return lines;
  }

  /** What is left of a line that never ended. */
  flush(): LogLine[] {
    return this.#heldBytes === 0 ? [] : [this.#piece(false)];
  }

  /** The end of the line that has not ended yet, at most `limit` bytes of it; undefined where there is none. */
  pending(limit: number): string | undefined {
    if (this.#heldBytes === 0) return undefined;
    const bytes = Buffer.concat(this.#held);
    return bytes.subarray(Math.max(0, bytes.length - limit)).toString();
  }

  #piece(open: boolean): LogLine {
    const line = {
      time: this.#heldSince,
      text: this.#decode(Buffer.alloc(0), open),
      continues: this.#midLine,
      open,
    };
    this.#midLine = open;
    return line;
  }

  #decode(last: Buffer, more: boolean): string {
    const bytes = this.#heldBytes === 0 ? last : Buffer.concat([...this.#held, last]);
    this.#held = [];
    this.#heldBytes = 0;
    return this.#decoder.decode(bytes, { stream: more });
  }
}
