import { createHash, type Hash, hash } from 'node:crypto';
import { readSync } from 'node:fs';
import type { ResumableSha256 } from '../sys/resumable-sha256.ts';
import { type Aborted, throwIfAborted } from './abort.ts';
import type { HashState } from './hash-states.ts';
import { BLOCK, type TarHeader } from './tar-format.ts';
import { encodeTarHeader, writePlainHeader } from './tar-write.ts';

/** Receives the archive in order. The chunk is used again after the call returns: copy what is to be kept. */
export type PackSink = (chunk: Buffer) => void;

const bufferSize = 4 << 20;
/** Files up to this size are read in one piece and hashed in one call. */
const wholeFile = 1 << 20;
const emptySha256 = hash('sha256', '', 'hex');

/**
 * The end of the packer: one buffer that headers and contents are put into, which is hashed and handed on when
 * it is full. So every byte is read once, and both digests are made while it is near.
 */
export class PackOutput {
  readonly #sink: PackSink | undefined;
  readonly #aborted: Aborted | undefined;
  readonly #hash: Hash | ResumableSha256;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferSize);
  #length = 0;
  #total = 0;

  /** @param resumable takes the place of the usual hash, so that states can be put aside */
  constructor(sink: PackSink | undefined, aborted: Aborted | undefined, resumable?: ResumableSha256) {
    this.#sink = sink;
    this.#aborted = aborted;
    this.#hash = resumable ?? createHash('sha256');
  }

  /** Bytes so far. */
  get offset(): number {
    return this.#total + this.#length;
  }

  /** Everything so far goes through the hash, so that its state can be taken. */
  settle(): void {
    this.#flush();
  }

  /** Goes on behind the first `offset` bytes of an archive, of which only the hash's state is known. */
  resumeAt({ offset }: Pick<HashState, 'offset'>): void {
    this.#total = offset;
    this.#length = 0;
  }

  header(header: TarHeader): void {
    this.#room(BLOCK);
    if (writePlainHeader(this.#buffer, this.#length, header)) this.#length += BLOCK;
    else this.bytes(encodeTarHeader(header));
  }

  bytes(data: Buffer): void {
    for (let at = 0; at < data.length; ) {
      this.#room(1);
      const take = Math.min(data.length - at, bufferSize - this.#length);
      data.copy(this.#buffer, this.#length, at, at + take);
      this.#length += take;
      at += take;
    }
  }

  /**
   * Copies `size` bytes from `fd` and fills up to a block. Returns their SHA-256, hex, or undefined when the file
   * is shorter than that. `known` is that digest, where it need not be computed.
   */
  content(fd: number, size: number, known?: string): string | undefined {
    if (size === 0) return emptySha256;
    if (size <= wholeFile) {
      this.#room(size);
      const start = this.#length;
      if (!this.#fill(fd, size)) return undefined;
      const digest = known ?? hash('sha256', this.#buffer.subarray(start, start + size), 'hex');
      this.#pad(size);
      return digest;
    }
    const digest = known === undefined ? createHash('sha256') : undefined;
    for (let left = size; left > 0; ) {
      this.#room(1);
      const start = this.#length;
      const take = Math.min(left, bufferSize - start);
      if (!this.#fill(fd, take)) return undefined;
      digest?.update(this.#buffer.subarray(start, start + take));
      left -= take;
    }
    this.#pad(size);
    return known ?? digest!.digest('hex');
  }

  /** Hands on what is left. Returns the digest and the number of all bytes. */
  finish(): { diffId: string; tarSize: number } {
    this.#flush();
    return { diffId: `sha256:${this.#hash.digest('hex')}`, tarSize: this.#total };
  }

  #fill(fd: number, size: number): boolean {
    for (let left = size; left > 0; ) {
      const read = readSync(fd, this.#buffer, this.#length, left, null);
      if (read === 0) return false;
      this.#length += read;
      left -= read;
    }
    return true;
  }

  #pad(size: number): void {
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (padding === 0) return;
    this.#room(padding);
    this.#buffer.fill(0, this.#length, this.#length + padding);
    this.#length += padding;
  }

  #room(bytes: number): void {
    if (this.#length + bytes > bufferSize) this.#flush();
  }

  #flush(): void {
    throwIfAborted(this.#aborted);
    const chunk = this.#buffer.subarray(0, this.#length);
    this.#hash.update(chunk);
    this.#sink?.(chunk);
    this.#total += this.#length;
    this.#length = 0;
  }
}
