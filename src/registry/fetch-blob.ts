import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { failure, isTransient } from '../http/http-failure.ts';
import { pause, retryDelay } from '../http/retry.ts';
import type { Digest } from '../image/types.ts';
import { registryFailure } from './registry-error.ts';
import type { BlobStream } from './types.ts';

/** One place where a blob can be had. `from`: the first byte that is wanted. */
export type BlobSource = (from: number) => Promise<BlobStream>;

export interface FetchBlobRequest {
  digest: Digest;
  /** Bytes. */
  size: number;
  /** Asked in this order. */
  sources: readonly BlobSource[];
  /** Where it goes; made by this call. What stands in it is verified once the call has resolved, and not before. */
  file: string;
  /** Told how many bytes of the file are there; fewer than before when it had to begin anew. */
  onArrived?: (bytes: number) => void;
  /** How often a source may fail in a row without a byte. Default 5, first pause 250 ms. */
  attempts?: number;
  delayMs?: number;
  signal?: AbortSignal | undefined;
}

/** However little comes each time, it ends. */
const MOST_ATTEMPTS = 100;
/** Content that is not what it should be may have been spoilt on its way, once. */
const MOST_MISMATCHES = 2;

/**
 * Fetches a blob into a file and verifies digest and size. A connection that breaks is taken up where it broke.
 *
 * @throws SlipwayError `corrupt` DIGEST_MISMATCH; `not-found`, `denied`, `unavailable`, `canceled` of the last source;
 * `exhausted` DISK_FULL
 */
export async function fetchBlob(request: FetchBlobRequest): Promise<void> {
  const download = new Download(request);
  try {
    let last: unknown;
    for (const source of request.sources) {
      try {
        await download.from(source);
        return;
      } catch (error) {
        if (error instanceof SlipwayError && (error.kind === 'canceled' || error.kind === 'exhausted'))
          throw error;
        last = error;
      }
    }
    throw last;
  } finally {
    download.close();
  }
}

class Download {
  readonly #request: FetchBlobRequest;
  readonly #fd: number;
  #hash = createHash('sha256');
  #arrived = 0;

  constructor(request: FetchBlobRequest) {
    this.#request = request;
    this.#fd = openSync(request.file, 'wx', 0o600);
  }

  close(): void {
    closeSync(this.#fd);
  }

  async from(source: BlobSource): Promise<void> {
    const { attempts = 5, delayMs = 250, signal, digest } = this.#request;
    let failures = 0;
    let mismatches = 0;
    for (let attempt = 1; ; attempt++) {
      const before = this.#arrived;
      try {
        await this.#read(await source(before));
        return;
      } catch (error) {
        if (signal?.aborted) throw failure(digest, error, signal);
        // 416: what is there is more than the server thinks there is.
        if (isMismatch(error) || registryFailure(error)?.status === 416) {
          this.#restart();
          if (++mismatches >= MOST_MISMATCHES) throw error;
        } else if (!mayPass(error)) throw error;
        failures = this.#arrived > before ? 1 : failures + 1;
        if (failures >= attempts || attempt >= MOST_ATTEMPTS) throw broken(digest, error);
      }
      await pause(retryDelay(failures, delayMs), signal);
    }
  }

  async #read({ body, start, size: announced }: BlobStream): Promise<void> {
    const { size, digest, signal } = this.#request;
    try {
      if (announced !== undefined && announced !== size)
        throw mismatch(digest, `${announced} bytes, not ${size}`);
      // A server that knows no ranges begins at the beginning.
      let skip = this.#arrived - start;
      for await (const chunk of body) {
        if (signal?.aborted) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
        const fresh = skip > 0 ? chunk.subarray(Math.min(skip, chunk.length)) : chunk;
        skip -= chunk.length - fresh.length;
        if (fresh.length > 0) this.#write(fresh);
      }
    } finally {
      body.destroy();
    }
    if (this.#arrived < size) throw new Incomplete();
    const found = `sha256:${this.#hash.copy().digest('hex')}`;
    if (found !== digest) throw mismatch(digest, `the digest ${found}`);
  }

  #write(chunk: Buffer): void {
    const { size, digest, onArrived } = this.#request;
    if (this.#arrived + chunk.length > size) throw mismatch(digest, `more than ${size} bytes`);
    this.#hash.update(chunk);
    try {
      for (let at = 0; at < chunk.length; ) {
        at += writeSync(this.#fd, chunk, at, chunk.length - at, this.#arrived + at);
      }
    } catch (cause) {
      if (!isErrno(cause, 'ENOSPC') && !isErrno(cause, 'EDQUOT')) throw cause;
      throw new SlipwayError('exhausted', 'no space left on the disk while a blob was fetched', {
        code: 'DISK_FULL',
        cause,
      });
    }
    this.#arrived += chunk.length;
    onArrived?.(this.#arrived);
  }

  #restart(): void {
    this.#hash = createHash('sha256');
    this.#arrived = 0;
    this.#request.onArrived?.(0);
  }
}

/** A body that ended before its end, without any error. */
class Incomplete extends Error {}

function isMismatch(error: unknown): boolean {
  return error instanceof SlipwayError && error.code === 'DIGEST_MISMATCH';
}

function mayPass(error: unknown): boolean {
  if (error instanceof SlipwayError) return error.kind === 'unavailable';
  return error instanceof Incomplete || isTransient(error);
}

function broken(digest: Digest, error: unknown): unknown {
  if (error instanceof SlipwayError) return error;
  const cause = error instanceof Incomplete ? undefined : error;
  return new SlipwayError('unavailable', `the download of ${digest} broke off again and again`, {
    code: 'REGISTRY_INCOMPLETE',
    cause,
  });
}

function mismatch(digest: Digest, what: string): SlipwayError {
  return new SlipwayError('corrupt', `blob ${digest} of the registry has ${what}`, {
    code: 'DIGEST_MISMATCH',
  });
}
