import { SlipwayError } from '../errors/index.ts';

const FRAME = 0xfd2fb528;
const isSkippable = (magic: number) => magic >= 0x184d2a50 && magic <= 0x184d2a5f;
const dictionaryBytes = [0, 1, 2, 4];
const contentSizeBytes = [0, 2, 4, 8];

type State = 'magic' | 'skippable-size' | 'descriptor' | 'block';

/**
 * Cuts zstd data where a frame ends (RFC 8878, 3.1). Node's decompressor takes data behind the end of a frame for
 * the end of the stream, and a stream that ends inside a frame for a whole one; it goes on with the next frame if
 * that comes in a write of its own.
 */
export class ZstdFrames {
  #state: State = 'magic';
  /** Bytes of a field that came so far, and how many it has. */
  #field = Buffer.alloc(4);
  #have = 0;
  #need = 4;
  /** Bytes to pass before the next field. */
  #pass = 0;
  #checksum = false;
  #lastBlock = false;

  /** The chunk in pieces, none of which goes beyond the end of a frame. Throws `invalid` if it is no zstd data. */
  split(chunk: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#pass > 0) {
        const take = Math.min(this.#pass, chunk.length - at);
        this.#pass -= take;
        at += take;
      } else {
        this.#field[this.#have++] = chunk[at++]!;
        if (this.#have === this.#need) this.#read();
      }
      if (this.#pass === 0 && this.#lastBlock) {
        this.#lastBlock = false;
        this.#expect('magic', 4);
        pieces.push(chunk.subarray(start, at));
        start = at;
      }
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
    return pieces;
  }

  /** Throws `invalid` if the data ended inside a frame. */
  end(): void {
    if (this.#state !== 'magic' || this.#have > 0 || this.#pass > 0)
      throw bad('the data ends inside a frame');
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#have = 0;
    this.#need = bytes;
  }

  #read(): void {
    const field = this.#field;
    switch (this.#state) {
      case 'magic': {
        const magic = field.readUInt32LE(0);
        if (isSkippable(magic)) this.#expect('skippable-size', 4);
        else if (magic === FRAME) this.#expect('descriptor', 1);
        else throw bad('no frame where one should begin');
        return;
      }
      case 'skippable-size':
        this.#pass = field.readUInt32LE(0);
        this.#lastBlock = true;
        return;
      case 'descriptor': {
        const descriptor = field[0]!;
        const single = (descriptor & 0x20) !== 0;
        const sizeFlag = descriptor >> 6;
        const sizeBytes = sizeFlag === 0 && single ? 1 : contentSizeBytes[sizeFlag]!;
        this.#checksum = (descriptor & 4) !== 0;
        this.#pass = (single ? 0 : 1) + dictionaryBytes[descriptor & 3]! + sizeBytes;
        this.#expect('block', 3);
        return;
      }
      case 'block': {
        const header = field.readUIntLE(0, 3);
        // A run of one byte is stored as that byte.
        this.#pass = ((header >> 1) & 3) === 1 ? 1 : header >> 3;
        if (header & 1) {
          this.#lastBlock = true;
          if (this.#checksum) this.#pass += 4;
        }
        this.#expect('block', 3);
      }
    }
  }
}

function bad(message: string): SlipwayError {
  return new SlipwayError('invalid', `bad zstd data: ${message}`, { code: 'BAD_COMPRESSION' });
}
