import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';
import { blobFiles } from './blobs.ts';
import { BASE_OF_ANOTHER, HELD, NEEDED_BY_OTHERS } from './gc/cache-entries.ts';
import { forgetOldBlobs } from './layer-blobs.ts';
import { REMOVING } from './layers.ts';
import {
  blobPath,
  HASH_STATES_SUFFIX,
  isLayerId,
  type LayerId,
  layerDirectory,
  layerIdOf,
  layerRowOf,
  ownerOf,
} from './layout.ts';
import { endDeadLeases, type IsLocked } from './leases.ts';
import type { Store } from './store.ts';

/**
 * What can be deleted. Paths are relative to the store's root. The worker deletes them (`deleteGarbage`), then
 * `forgetGarbage` clears the rows.
 */
export interface Garbage {
  layers: LayerId[];
  /** Names in tmp/ and active/ and directories in layers/ that no row and no live lease knows. */
  strays: string[];
}

/**
 * Ends the leases of dead processes and finds what nobody needs. A layer is kept by an image, by a step record (the
 * cache) and by a hold or the making of a live lease; nothing else. What is found is marked first, so that nothing
 * can begin to use it. Blobs are deleted right here.
 */
export function collectGarbage(store: Store, isLocked?: IsLocked): Garbage {
  endDeadLeases(store, isLocked);
  store.database.transaction(() => markUnneededLayers(store));
  deleteBlobs(store);
  deleteStrayBlobs(store);
  deleteOldListings(store);
  forgetOldBlobs(store);
  return { layers: removableLayers(store), strays: findStrays(store) };
}

/** Layers that wait for their removal and that nobody holds any more. */
function removableLayers(store: Store): LayerId[] {
  return store.database
    .all<{ id: number }>(
      `SELECT id FROM layers WHERE state = 'removing'
         AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.layer = layers.id) ORDER BY id`,
    )
    .map((row) => layerIdOf(row.id));
}

/** Forgets layers whose directories are gone, and the blobs that only they needed. */
export function forgetGarbage(store: Store, layers: readonly LayerId[]): void {
  store.database.transaction(() => {
    for (const id of layers) {
      store.database.run("DELETE FROM layers WHERE id = ? AND state = 'removing'", layerRowOf(id));
    }
  });
  deleteBlobs(store);
}

/** Forgets layers that wait for their removal and of which nothing was ever written: that takes no worker. */
export function forgetUnmade(store: Store): void {
  const unmade = removableLayers(store).filter((id) => !existsSync(layerDirectory(store.root, id)));
  if (unmade.length > 0) forgetGarbage(store, unmade);
}

/**
 * Marks ready layers that nothing needs as `removing` and returns them, a layer that others lie over after those.
 * Part of a transaction, so that it sees what the transaction took away.
 */
export function markUnneededLayers(store: Store): { id: LayerId; diffId: Digest }[] {
  const marked: { id: LayerId; diffId: Digest }[] = [];
  for (;;) {
    const rows = store.database.all<{ id: number; diff_id: string }>(
      `UPDATE layers SET ${REMOVING}
       WHERE state = 'ready'
         AND NOT ${NEEDED_BY_OTHERS}
         AND NOT EXISTS (SELECT 1 FROM steps WHERE steps.layer = layers.id)
         AND NOT ${HELD}
         AND NOT ${BASE_OF_ANOTHER}
       RETURNING id, diff_id`,
    );
    if (rows.length === 0) return marked;
    for (const row of rows) marked.push({ id: layerIdOf(row.id), diffId: row.diff_id });
  }
}

/**
 * Deletes blobs that no layer and no lease needs. Each file goes inside the transaction that saw that, so that a
 * writer waits and then finds it missing.
 */
function deleteBlobs(store: Store): void {
  store.database.transaction(() => {
    const unneeded = store.database.all<{ digest: string }>(
      `DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM blob_holds WHERE blob_holds.digest = blobs.digest)
         AND NOT EXISTS (SELECT 1 FROM layers WHERE origin_digest = blobs.digest)
       RETURNING digest`,
    );
    for (const { digest } of unneeded) rmSync(blobPath(store.root, digest), { force: true });
  });
}

/** Deletes blobs without a row: an index that was restored from a copy knows less than the disk. */
function deleteStrayBlobs(store: Store): void {
  store.database.transaction(() => {
    for (const digest of blobFiles(store)) {
      if (store.database.get('SELECT 1 FROM blobs WHERE digest = ?', digest) !== undefined) continue;
      rmSync(blobPath(store.root, digest), { force: true });
    }
  });
}

/** A listing is written before its layer is named: younger ones may be about to be needed. */
const LISTING_GRACE_MS = 3_600_000;

/** Deletes listings of layers that are not there any more. */
function deleteOldListings(store: Store): void {
  const rows = store.database.all<{ diff_id: string }>("SELECT diff_id FROM layers WHERE state = 'ready'");
  const needed = new Set(rows.map((row) => row.diff_id.slice('sha256:'.length)));
  for (const name of list(join(store.root, 'listings'))) {
    if (needed.has(name.replace(HASH_STATES_SUFFIX, ''))) continue;
    const path = join(store.root, 'listings', name);
    const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (mtimeMs !== undefined && Date.now() - mtimeMs > LISTING_GRACE_MS) rmSync(path, { force: true });
  }
}

/** Names in tmp/, active/ and layers/ that belong to no live lease and no row. */
export function findStrays(store: Store): string[] {
  const strays: string[] = [];
  for (const folder of ['tmp', 'active']) {
    // Names first, leases second: a lease that starts in between has no names in the list.
    const names = list(join(store.root, folder));
    const leases = ids<string>(store, 'SELECT id FROM leases');
    for (const name of names) {
      const owner = ownerOf(name);
      if (owner === undefined || !leases.has(owner)) strays.push(`${folder}/${name}`);
    }
  }
  const names = list(join(store.root, 'layers'));
  const rows = ids<number>(store, 'SELECT id FROM layers');
  for (const name of names) {
    if (!isLayerId(name) || !rows.has(layerRowOf(name))) strays.push(`layers/${name}`);
  }
  return strays;
}

function ids<Id>(store: Store, sql: string): Set<Id> {
  return new Set(store.database.all<{ id: Id }>(sql).map((row) => row.id));
}

function list(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
