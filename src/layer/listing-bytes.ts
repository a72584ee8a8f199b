import { SlipwayError } from '../errors/index.ts';

/** Grows as it is written to. Numbers are safe integers from 0, in groups of seven bits, the lowest first. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(expected: number) {
    this.#buffer = Buffer.allocUnsafe(expected);
  }

  number(value: number): void {
    this.#room(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** Bytes of a latin1 string, without their length. */
  text(value: string): void {
    this.#room(value.length);
    if (value.length < 24) {
      // Cheaper than a call into the runtime for the few bytes that most names differ by.
      for (let i = 0; i < value.length; i++) this.#buffer[this.#length++] = value.charCodeAt(i);
    } else {
      this.#length += this.#buffer.write(value, this.#length, 'latin1');
    }
  }

  /** Length and bytes of a latin1 string. */
  string(value: string): void {
    this.number(value.length);
    this.text(value);
  }

  /** Length and bytes. */
  bytes(value: Buffer): void {
    this.number(value.length);
    this.#room(value.length);
    this.#length += value.copy(this.#buffer, this.#length);
  }

  /** The bytes that hex digits stand for, without their length. */
  hex(digits: string): void {
    this.#room(digits.length / 2);
    this.#length += this.#buffer.write(digits, this.#length, 'hex');
  }

  done(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads what ByteWriter wrote; throws `corrupt` (`LISTING_CORRUPT`) when the bytes end too early. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get atEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) throw tooShort();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    if (!Number.isSafeInteger(value)) throw tooShort();
    return value;
  }

  text(length: number): string {
    const start = this.#take(length);
    if (length < 12) {
      let text = '';
      for (let i = start; i < this.#at; i++) text += String.fromCharCode(this.#buffer[i]!);
      return text;
    }
    return this.#buffer.toString('latin1', start, this.#at);
  }

  string(): string {
    return this.text(this.number());
  }

  /** A copy. */
  bytes(): Buffer {
    const start = this.#take(this.number());
    return Buffer.from(this.#buffer.subarray(start, this.#at));
  }

  hex(bytes: number): string {
    const start = this.#take(bytes);
    return this.#buffer.toString('hex', start, this.#at);
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#buffer.length) throw tooShort();
    this.#at += length;
    return start;
  }
}

function tooShort(): SlipwayError {
  return new SlipwayError('corrupt', 'a layer listing is damaged', { code: 'LISTING_CORRUPT' });
}
