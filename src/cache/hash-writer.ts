import { createHash, type Hash, hash } from 'node:crypto';

const CHUNK_BYTES = 1 << 18;

/** Collects small values into large updates; every value has its length in front or a fixed one. */
export class HashWriter {
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #hash: Hash | undefined;
  #used = 0;

  /** Bytes as latin1. */
  text(value: string): void {
    this.number(value.length);
    if (value.length > CHUNK_BYTES) {
      this.#flush();
      this.#hash!.update(value, 'latin1');
      return;
    }
    this.#reserve(value.length);
    this.#used += this.#chunk.write(value, this.#used, 'latin1');
  }

  hex(value: string): void {
    this.#reserve(value.length / 2);
    this.#used += this.#chunk.write(value, this.#used, 'hex');
  }

  /** An integer up to 2^53. */
  number(value: number): void {
    this.#reserve(8);
    this.#used = this.#chunk.writeDoubleLE(value, this.#used);
  }

  /** SHA-256, hex, of everything since the last one. */
  digest(): string {
    let digest: string;
    if (this.#hash === undefined) {
      digest = hash('sha256', this.#chunk.subarray(0, this.#used), 'hex');
    } else {
      this.#flush();
      digest = this.#hash.digest('hex');
    }
    this.#hash = undefined;
    this.#used = 0;
    return digest;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes > CHUNK_BYTES) this.#flush();
  }

  #flush(): void {
    this.#hash ??= createHash('sha256');
    this.#hash.update(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }
}
