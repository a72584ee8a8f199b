import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';
import { blobPath, digestHex, isDigest, type LeaseId, temporaryPath } from './layout.ts';
import type { Store } from './store.ts';

/**
 * Puts bytes under their digest. The blob is kept while the lease lives and for as long as a layer names it.
 * Returns the digest.
 */
export function putBlob(store: Store, lease: LeaseId, bytes: Buffer): Digest {
  const hex = createHash('sha256').update(bytes).digest('hex');
  const digest = `sha256:${hex}`;
  reserve(store, lease, digest);
  if (blobSize(store, digest) !== bytes.length) {
    const temporary = temporaryPath(store.root, lease, `blob-${hex}`);
    writeFileSync(temporary, bytes, { mode: 0o600 });
    place(store, temporary, digest, bytes.length);
  }
  return digest;
}

export interface AdoptOptions {
  /** Hash the file. Left out by callers that hashed what they wrote. */
  verify?: boolean;
}

/**
 * Moves a finished file of tmp/ under its digest; it is gone from where it was in any case.
 *
 * @throws SlipwayError `DIGEST_MISMATCH` when `verify` finds another digest.
 */
export function adoptBlob(
  store: Store,
  lease: LeaseId,
  file: { path: string; digest: Digest },
  options: AdoptOptions = {},
): void {
  try {
    const size = statSync(file.path).size;
    if (options.verify === true) {
      const found = hashFile(file.path);
      if (found !== file.digest) throw mismatch(file.digest, found);
    }
    reserve(store, lease, file.digest);
    if (blobSize(store, file.digest) !== size) place(store, file.path, file.digest, size);
  } finally {
    rmSync(file.path, { force: true });
  }
}

/** Bytes of a blob, or undefined if it is not there. */
export function blobSize(store: Store, digest: Digest): number | undefined {
  try {
    return statSync(blobPath(store.root, digest)).size;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Digests of all files under blobs/. */
export function blobFiles(store: Store): Digest[] {
  const root = join(store.root, 'blobs', 'sha256');
  return readdirSync(root)
    .sort()
    .flatMap((folder) => readdirSync(join(root, folder)).sort())
    .map((hex) => `sha256:${hex}`)
    .filter(isDigest);
}

/** SHA-256 of a file, as a digest. Reads through one buffer. `check` is called for every MiB; what it throws ends it. */
export function hashFile(path: string, check?: () => void): Digest {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1 << 20);
    const hash = createHash('sha256');
    for (;;) {
      const count = readSync(fd, buffer, 0, buffer.length, null);
      if (count === 0) return `sha256:${hash.digest('hex')}`;
      hash.update(buffer.subarray(0, count));
      check?.();
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * The row comes before the file: the collector deletes a blob only inside a transaction in which it saw no lease
 * and no layer, so a writer that has its row either finds the file or writes it anew.
 */
function reserve(store: Store, lease: LeaseId, digest: Digest): void {
  digestHex(digest);
  store.database.transaction(() => {
    store.database.run('INSERT OR IGNORE INTO blobs (digest) VALUES (?)', digest);
    store.database.run('INSERT OR IGNORE INTO blob_holds (lease, digest) VALUES (?, ?)', lease, digest);
  });
}

function place(store: Store, temporary: string, digest: Digest, size: number): void {
  const path = blobPath(store.root, digest);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  renameSync(temporary, path);
  store.database.run('UPDATE blobs SET size = ? WHERE digest = ?', size, digest);
}

function mismatch(expected: Digest, found: Digest): SlipwayError {
  return new SlipwayError('corrupt', `a blob has the digest ${found}, expected ${expected}`, {
    code: 'DIGEST_MISMATCH',
  });
}
