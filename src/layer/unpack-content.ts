import { createHash, type Hash, hash } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { type BytePath, fsPath } from '../sys/bytes.ts';
import { type Aborted, throwIfAborted } from './abort.ts';

const zeros = Buffer.alloc(1 << 20);

/** A new file while its content comes in. Holes stay holes on disk and count as zeros in the digest. */
export class ContentWriter {
  readonly fd: number;
  readonly #size: number;
  readonly #aborted: Aborted | undefined;
  #hash: Hash | undefined;
  #digest: string | undefined;
  #end = 0;

  /** `size` is the whole file's, with holes. The path must not exist. */
  constructor(
    path: BytePath,
    size: number,
    { mode, aborted }: { mode: number; aborted: Aborted | undefined },
  ) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    this.fd = openSync(fsPath(path), flags, mode);
    this.#size = size;
    this.#aborted = aborted;
  }

  write(chunk: Buffer, offset: number): void {
    if (offset === 0 && chunk.length === this.#size) {
      this.#digest = hash('sha256', chunk, 'hex');
    } else {
      this.#zeros(offset - this.#end);
      this.#hash!.update(chunk);
    }
    for (let at = 0; at < chunk.length; ) {
      at += writeSync(this.fd, chunk, at, chunk.length - at, offset + at);
    }
    this.#end = offset + chunk.length;
  }

  /** The SHA-256 of the content, hex. */
  finish(): string {
    if (this.#digest === undefined) {
      this.#zeros(this.#size - this.#end);
      this.#digest = this.#hash!.digest('hex');
      ftruncateSync(this.fd, this.#size);
    }
    return this.#digest;
  }

  close(): void {
    closeSync(this.fd);
  }

  #zeros(length: number): void {
    this.#hash ??= createHash('sha256');
    for (let left = length; left > 0; ) {
      const take = Math.min(left, zeros.length);
      throwIfAborted(this.#aborted);
      this.#hash.update(take === zeros.length ? zeros : zeros.subarray(0, take));
      left -= take;
    }
  }
}
