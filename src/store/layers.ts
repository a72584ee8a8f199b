import { SlipwayError } from '../errors/index.ts';
import { chainId } from '../image/digest.ts';
import type { Digest } from '../image/types.ts';
import type { LayerDigest } from '../layer/types.ts';
import { isDigest, type LayerId, type LeaseId, layerIdOf, layerRowOf } from './layout.ts';
import type { Store } from './store.ts';

/** The blob a layer came in, from a registry or an archive. It lies under blobs/ and may be compressed. */
export interface OriginBlob {
  digest: Digest;
  /** Bytes. */
  size: number;
  mediaType: string;
}

/** What the packer must be told to give a layer's `diffId` again. */
export interface PackRecipe {
  /** SOURCE_DATE_EPOCH of the build, in seconds: later times were written as this. */
  clampMtime?: number;
  /** What the layer below has as its root directory, where that is not 0755, 0:0. */
  root?: { mode: number; uid: number; gid: number };
  /** There is a file `overridesPath` with metadata that the directory cannot hold. */
  overrides?: true;
  /** Overlayfs's marks are `user.overlay.*`. */
  userxattr?: true;
}

/** A layer that is whole and named. */
export interface LayerRecord extends LayerDigest {
  id: LayerId;
  /**
   * The directories that make it up, bottom first: its own alone, or those of an earlier layer with its own over
   * them, which then holds what differs in overlay form.
   */
  stack: LayerId[];
  /**
   * Where some name of an earlier layer is taken away in one of its directories: the chain id of the only layers
   * that it may be laid over, empty for none. The mark would take the name from others too.
   */
  fits?: string;
  /**
   * Boot of the machine in which it was written; empty once its bytes are known to be on disk. Of a stack whose
   * layers are of several boots, something that is no boot.
   */
  bootId: string;
  /** How the directory is packed to give `diffId`, where that is not the plain way. */
  recipe?: PackRecipe;
  /** Present for what our packer did not write: `diffId` is then this blob's, uncompressed. */
  origin?: OriginBlob;
}

/** Hands out the id of a layer that `lease` is going to write. */
export function allocateLayer(store: Store, lease: LeaseId): LayerId {
  const { lastId } = store.database.run(
    "INSERT INTO layers (state, lease, created_ms) VALUES ('pending', ?, ?)",
    lease,
    Date.now(),
  );
  return layerIdOf(lastId);
}

export interface CompletedLayer extends LayerDigest {
  bootId: string;
  /** The layer over whose directories this one's lies. It must be ready, and is kept as long as this one. */
  base?: LayerId;
  /** See `LayerRecord`. */
  fits?: string;
  recipe?: PackRecipe;
  origin?: OriginBlob;
}

/**
 * Names a layer whose directory is whole and on disk, and holds it for its lease. When there is a layer with the
 * same `diffId` already, that one is held and returned; the given one stays on disk until its lease ends, since
 * mounts may lie on it.
 */
export function completeLayer(store: Store, id: LayerId, done: CompletedLayer): LayerRecord {
  if (!isDigest(done.diffId)) throw gone(id, `its diffId ${JSON.stringify(done.diffId)} is no digest`);
  return store.database.transaction(() => {
    const own = store.database.get<{ state: string; lease: string | null }>(
      'SELECT state, lease FROM layers WHERE id = ?',
      layerRowOf(id),
    );
    if (own?.state !== 'pending' || own.lease === null) throw gone(id, 'it is not in the making');
    const twin = store.database.get<LayerRow>(`${SELECT_READY} AND diff_id = ?`, done.diffId);
    const record = twin && recordOf(store, twin);
    const usable = record !== undefined && isTrusted(record, done.bootId) ? record : undefined;
    const fits = fitOf(store, done);
    if (usable?.fits !== undefined && fits !== undefined && usable.fits !== fits) throw unfit(id, usable.id);
    // One that fits anywhere takes the place of one that does not.
    const known = usable?.fits !== undefined && fits === undefined ? undefined : usable;
    if (known === undefined) {
      if (twin !== undefined) replaceLayer(store, layerIdOf(twin.id), id);
      writeLayer(store, id, done);
    }
    const kept = known ?? layerById(store, id)!;
    store.database.run(
      'INSERT OR IGNORE INTO holds (lease, layer) VALUES (?, ?)',
      own.lease,
      layerRowOf(kept.id),
    );
    return kept;
  });
}

/**
 * A layer that is not trusted, or does not fit everywhere, gives way to a new one of the same content: whatever needs
 * it needs that one. Its directories stay for as long as somebody holds it.
 */
function replaceLayer(store: Store, old: LayerId, fresh: LayerId): void {
  for (const table of ['steps', 'image_layers']) {
    store.database.run(`UPDATE ${table} SET layer = ? WHERE layer = ?`, layerRowOf(fresh), layerRowOf(old));
  }
  // Equal content: what lies over the old one's files lies as well over the new one's.
  store.database.run('UPDATE layers SET base = ? WHERE base = ?', layerRowOf(fresh), layerRowOf(old));
  const isHeld = store.database.get('SELECT 1 FROM holds WHERE layer = ?', layerRowOf(old)) !== undefined;
  const change = isHeld ? "state = 'removing', lease = NULL" : REMOVING;
  store.database.run(`UPDATE layers SET ${change} WHERE id = ?`, layerRowOf(old));
}

/** What a layer becomes that is to be deleted. It needs no base any more. */
export const REMOVING = "state = 'removing', lease = NULL, base = NULL";

/** A layer fits no more than what it lies over. */
function fitOf(store: Store, { fits, base }: CompletedLayer): string | undefined {
  return fits ?? (base === undefined ? undefined : layerById(store, base)?.fits);
}

function writeLayer(store: Store, id: LayerId, done: CompletedLayer): void {
  if (done.base !== undefined && layerById(store, done.base) === undefined) {
    throw gone(id, `the layer ${done.base} under it was removed`);
  }
  store.database.run(
    `UPDATE layers SET state = 'ready', lease = NULL, diff_id = ?, tar_size = ?, size = ?, packer = ?, boot_id = ?,
       base = ?, fits = ?, recipe = ?, origin_digest = ?, origin_size = ?, origin_type = ? WHERE id = ?`,
    done.diffId,
    done.tarSize,
    done.size,
    done.packer,
    done.bootId,
    done.base === undefined ? null : layerRowOf(done.base),
    fitOf(store, done) ?? null,
    done.recipe === undefined ? null : JSON.stringify(done.recipe),
    done.origin?.digest ?? null,
    done.origin?.size ?? null,
    done.origin?.mediaType ?? null,
    layerRowOf(id),
  );
  if (done.origin !== undefined && !isBlobKnown(store, done.origin.digest)) {
    throw gone(id, `its blob ${done.origin.digest} is not in the store`);
  }
}

/**
 * Notes that layers are on disk, after a syncfs of the store: they then outlive a crash of the machine. One that was
 * only written is trusted until the next boot (DESIGN, decision 8).
 */
export function markDurable(store: Store, ids: Iterable<LayerId>): void {
  store.database.transaction(() => {
    for (const id of ids) {
      store.database.run("UPDATE layers SET boot_id = '' WHERE id = ? AND state = 'ready'", layerRowOf(id));
    }
  });
}

/** False for a layer that a crash of the machine may have damaged: written in an earlier boot and never synced. */
export function isTrusted(layer: LayerRecord, bootId: string): boolean {
  return layer.bootId === '' || layer.bootId === bootId;
}

/** Gives up a layer in the making: its directory is garbage from now on. */
export function abandonLayer(store: Store, id: LayerId): void {
  store.database.run(`UPDATE layers SET ${REMOVING} WHERE id = ? AND state = 'pending'`, layerRowOf(id));
}

/** The layers that `lease` is writing. */
export function pendingLayers(store: Store, lease: LeaseId): LayerId[] {
  return store.database
    .all<{ id: number }>("SELECT id FROM layers WHERE lease = ? AND state = 'pending' ORDER BY id", lease)
    .map((row) => layerIdOf(row.id));
}

/** The layer with this id, if it is ready. */
export function layerById(store: Store, id: LayerId): LayerRecord | undefined {
  const row = store.database.get<LayerRow>(`${SELECT_READY} AND id = ?`, layerRowOf(id));
  return row && recordOf(store, row);
}

/** The ready layer with this digest; there is at most one. */
export function layerByDiffId(store: Store, diffId: Digest): LayerRecord | undefined {
  const row = store.database.get<LayerRow>(`${SELECT_READY} AND diff_id = ?`, diffId);
  return row && recordOf(store, row);
}

/** The layers of a chain, bottom first, or the digests of those that are not there or do not fit where they would lie. */
export function layersForChain(
  store: Store,
  diffIds: readonly Digest[],
): { layers: LayerRecord[] } | { missing: Digest[] } {
  const layers: LayerRecord[] = [];
  const missing: Digest[] = [];
  for (const [i, diffId] of diffIds.entries()) {
    const layer = layerByDiffId(store, diffId);
    if (layer === undefined || !fitsOver(layer, diffIds.slice(0, i))) missing.push(diffId);
    else layers.push(layer);
  }
  return missing.length > 0 ? { missing } : { layers };
}

/** Whether a layer may be laid over the layers with these digests, bottom first. */
function fitsOver({ fits }: LayerRecord, below: readonly Digest[]): boolean {
  return fits === undefined || fits === (chainId(below) ?? '');
}

/**
 * Keeps layers for as long as the lease lives.
 *
 * @throws SlipwayError `LAYER_GONE` when one of them is not there (any more); none is held then.
 */
export function holdLayers(store: Store, lease: LeaseId, ids: readonly LayerId[]): void {
  store.database.transaction(() => {
    for (const id of ids) {
      if (layerById(store, id) === undefined) throw gone(id, 'it was removed meanwhile');
      store.database.run('INSERT OR IGNORE INTO holds (lease, layer) VALUES (?, ?)', lease, layerRowOf(id));
    }
  });
}

/**
 * The ready layer with this digest, kept for as long as the lease lives: nobody can remove it between the two. None where
 * it does not fit everywhere and `anywhere` is asked for: such a one gives way to the one that comes.
 */
export function holdLayerByDiffId(
  store: Store,
  lease: LeaseId,
  diffId: Digest,
  { anywhere = false } = {},
): LayerRecord | undefined {
  return store.database.transaction(() => {
    const layer = layerByDiffId(store, diffId);
    if (layer === undefined || (anywhere && layer.fits !== undefined)) return undefined;
    holdLayers(store, lease, [layer.id]);
    return layer;
  });
}

/** Keeps all layers that there are now for as long as the lease lives. */
export function holdAllLayers(store: Store, lease: LeaseId): void {
  store.database.run(
    "INSERT OR IGNORE INTO holds (lease, layer) SELECT ?, id FROM layers WHERE state = 'ready'",
    lease,
  );
}

/** All ready layers, oldest first. */
export function listLayers(store: Store): LayerRecord[] {
  return store.database
    .all<LayerRow>(`${SELECT_READY} ORDER BY id`)
    .flatMap((row) => recordOf(store, row) ?? []);
}

interface LayerRow {
  id: number;
  diff_id: string;
  tar_size: number;
  size: number;
  packer: number;
  boot_id: string;
  base: number | null;
  fits: string | null;
  recipe: string | null;
  origin_digest: string | null;
  origin_size: number | null;
  origin_type: string | null;
}

const SELECT_READY = `SELECT id, diff_id, tar_size, size, packer, boot_id, base, fits, recipe, origin_digest,
  origin_size, origin_type FROM layers WHERE state = 'ready'`;

/** Undefined for a layer over one that is not ready: damage that `system check` names. It counts as not there. */
function recordOf(store: Store, row: LayerRow): LayerRecord | undefined {
  const id = layerIdOf(row.id);
  const base = row.base === null ? undefined : layerById(store, layerIdOf(row.base));
  if (row.base !== null && base === undefined) return undefined;
  return {
    id,
    stack: [...(base?.stack ?? []), id],
    diffId: row.diff_id,
    tarSize: row.tar_size,
    size: row.size,
    packer: row.packer,
    bootId: base === undefined ? row.boot_id : bootOfBoth(base.bootId, row.boot_id),
    ...(row.fits === null ? {} : { fits: row.fits }),
    ...(row.recipe === null ? {} : { recipe: JSON.parse(row.recipe) as PackRecipe }),
    ...(row.origin_digest === null
      ? {}
      : { origin: { digest: row.origin_digest, size: row.origin_size!, mediaType: row.origin_type! } }),
  };
}

/** A layer is only as safe as what it lies over. Two boots are never both the present one. */
function bootOfBoth(a: string, b: string): string {
  if (a === b || b === '') return a;
  return a === '' ? b : `${a} ${b}`;
}

function isBlobKnown(store: Store, digest: Digest): boolean {
  return store.database.get('SELECT 1 FROM blobs WHERE digest = ?', digest) !== undefined;
}

function unfit(id: LayerId, other: LayerId): SlipwayError {
  return new SlipwayError('conflict', `layers ${id} and ${other} are equal, but fit in different places`, {
    code: 'LAYER_UNFIT',
  });
}

function gone(id: LayerId, why: string): SlipwayError {
  return new SlipwayError('conflict', `layer ${id} cannot be used: ${why}`, { code: 'LAYER_GONE' });
}
