import { join } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';

/** Names a layer's directory: a number in base 36, short because 200 of them must fit in one page of mount options. */
export type LayerId = string;

/** Names a process at work: 16 characters of `0-9a-z`. */
export type LeaseId = string;

const LAYER_ID = /^[1-9a-z][0-9a-z]{0,9}$/;
const LEASE_ID = /^[0-9a-z]{16}$/;
const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** The folders under a store's root. */
export const STORE_FOLDERS = [
  'blobs/sha256',
  'layers',
  'overrides',
  'listings',
  'tmp',
  'active',
  'locks',
  'cache',
] as const;

export function formatPath(root: string): string {
  return join(root, 'format');
}

export function indexPath(root: string): string {
  return join(root, 'index.db');
}

/** The folder of all layers: short names relative to it are what an overlay's mount options hold. */
export function layersPath(root: string): string {
  return join(root, 'layers');
}

/** The directory of a layer: its file system objects, as overlayfs takes them for a lower directory. */
export function layerDirectory(root: string, id: LayerId): string {
  if (!isLayerId(id)) throw internal(`not a layer id: ${id}`);
  return join(root, 'layers', id);
}

/** Metadata of a layer that its directory cannot hold (`encodeOverrides` of src/layer). */
export function overridesPath(root: string, id: LayerId): string {
  if (!isLayerId(id)) throw internal(`not a layer id: ${id}`);
  return join(root, 'overrides', id);
}

/** The kept listing of a layer. It may be absent at any time; whoever needs it makes it again. */
export function listingPath(root: string, diffId: Digest): string {
  return join(root, 'listings', digestHex(diffId));
}

/** Beside a listing: states of the hash of the layer's archive. As easily lost. */
export function hashStatesPath(root: string, diffId: Digest): string {
  return `${listingPath(root, diffId)}${HASH_STATES_SUFFIX}`;
}

export const HASH_STATES_SUFFIX = '.states';

export function blobPath(root: string, digest: Digest): string {
  const hex = digestHex(digest);
  return join(root, 'blobs', 'sha256', hex.slice(0, 2), hex);
}

/** The file whose flock says that the worker of `lease` lives. */
export function lockPath(root: string, lease: LeaseId): string {
  if (!isLeaseId(lease)) throw internal(`not a lease id: ${lease}`);
  return join(root, 'locks', lease);
}

/** A name in tmp/ that says whose it is: what a dead lease leaves there is garbage. `suffix` makes it unique. */
export function temporaryPath(root: string, lease: LeaseId, suffix: string): string {
  return owned(root, 'tmp', lease, suffix);
}

/** A snapshot in progress: a name in active/ that says whose it is. */
export function activePath(root: string, lease: LeaseId, suffix: string): string {
  return owned(root, 'active', lease, suffix);
}

/** The lease in a name made by `temporaryPath` or `activePath`, or undefined for any other name. */
export function ownerOf(name: string): LeaseId | undefined {
  const lease = name.slice(0, 16);
  return isLeaseId(lease) && name[16] === '.' ? lease : undefined;
}

export function isLayerId(text: string): boolean {
  return LAYER_ID.test(text);
}

export function isLeaseId(text: string): boolean {
  return LEASE_ID.test(text);
}

/** True for `sha256:` and 64 lower-case hex digits. */
export function isDigest(text: string): boolean {
  return SHA256.test(text);
}

/** The hex part. Throws for what is not a SHA-256 digest: a digest from outside must never become a path unchecked. */
export function digestHex(digest: Digest): string {
  if (!isDigest(digest)) {
    throw new SlipwayError('invalid', `not a sha256 digest: ${JSON.stringify(digest)}`, {
      code: 'DIGEST_INVALID',
    });
  }
  return digest.slice('sha256:'.length);
}

/** A layer's id from its number in the index, and back. */
export function layerIdOf(row: number): LayerId {
  return row.toString(36);
}

export function layerRowOf(id: LayerId): number {
  if (!isLayerId(id)) throw internal(`not a layer id: ${id}`);
  return Number.parseInt(id, 36);
}

function owned(root: string, folder: string, lease: LeaseId, suffix: string): string {
  if (!isLeaseId(lease) || !/^[A-Za-z0-9_-]+$/.test(suffix)) throw internal(`bad name: ${lease}.${suffix}`);
  return join(root, folder, `${lease}.${suffix}`);
}

function internal(message: string): SlipwayError {
  return new SlipwayError('internal', message, { code: 'STORE_NAME_INVALID' });
}
