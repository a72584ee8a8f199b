import { existsSync } from 'node:fs';
import { isErrno } from '../errors/index.ts';
import { digestOf } from '../image/digest.ts';
import { parseManifest } from '../image/parse-manifest.ts';
import type { Digest } from '../image/types.ts';
import { blobFiles, blobSize, hashFile } from './blobs.ts';
import type { Finding, LayerCheck } from './check.ts';
import { findStrays } from './garbage.ts';
import { imageDocuments, imageLayers, listImages } from './images.ts';
import { holdAllLayers, listLayers } from './layers.ts';
import { blobPath, type LeaseId, layerDirectory, layerIdOf, overridesPath } from './layout.ts';
import { type IsLocked, liveLeases } from './leases.ts';
import type { Store } from './store.ts';

export interface CheckOptions {
  isLocked?: IsLocked;
  /** Called now and then while large files are hashed; what it throws ends the check. */
  check?: () => void;
}

/**
 * The front's half of `system check`: the index itself, every reference in it, every blob's digest, and what
 * belongs to nobody. Layer directories are the worker's half: `layerChecks`, then `checkLayers`. */
export function checkIndex(store: Store, options: CheckOptions = {}): Finding[] {
  // At one moment: nothing that is named in the index loses its files meanwhile.
  const rows = store.database.transaction(() => [
    ...checkDatabase(store),
    ...checkImages(store),
    ...checkSteps(store),
    ...checkLayerRows(store),
    ...checkLeases(store, options),
  ]);
  return [...rows, ...checkBlobs(store, options), ...checkStrays(store)];
}

/** The layers that the worker is to verify. With a lease they are held, so that none is taken away under it. */
export function layerChecks(store: Store, lease?: LeaseId): LayerCheck[] {
  return store.database.transaction(() => {
    if (lease !== undefined) holdAllLayers(store, lease);
    return listLayers(store).map(({ bootId: _, ...layer }) => layer);
  });
}

function checkDatabase(store: Store): Finding[] {
  const damage = store.database
    .all<{ integrity_check: string }>('PRAGMA integrity_check')
    .map((row) => row.integrity_check)
    .filter((line) => line !== 'ok');
  const dangling = store.database
    .all<{ table: string; parent: string }>('PRAGMA foreign_key_check')
    .map((row) => `a row of ${row.table} points at a row of ${row.parent} that is not there`);
  return [...damage, ...dangling].map((message) => ({ code: 'INDEX_DAMAGED', message, subject: 'index.db' }));
}

function checkImages(store: Store): Finding[] {
  const findings: Finding[] = [];
  for (const { id, size } of listImages(store)) {
    for (const why of imageProblems(store, id, size)) {
      findings.push({ code: 'IMAGE_DAMAGED', message: `image ${id}: ${why}`, subject: id });
    }
  }
  return findings;
}

function imageProblems(store: Store, id: Digest, size: number): string[] {
  try {
    const { config, parsed, manifest } = imageDocuments(store, id)!;
    const problems: string[] = [];
    const found = digestOf(config);
    if (found !== id) problems.push(`its configuration has the digest ${found}`);
    const layers = imageLayers(store, id);
    const diffIds = layers.map((layer) => layer.diffId);
    if (diffIds.join() !== parsed.rootfs.diff_ids.join()) problems.push('its layers are not those it names');
    const sum = layers.reduce((total, layer) => total + layer.size, 0);
    if (sum !== size) problems.push(`its size is recorded as ${size}, its layers have ${sum}`);
    if (manifest !== undefined && parseManifest(manifest).config.digest !== id) {
      problems.push('its manifest names another configuration');
    }
    return problems;
  } catch (error) {
    return [(error as Error).message];
  }
}

function checkSteps(store: Store): Finding[] {
  const rows = store.database.all<{ key: string }>(
    `SELECT key FROM steps LEFT JOIN layers ON layers.id = steps.layer
     WHERE steps.layer IS NOT NULL AND (layers.state IS NOT 'ready' OR layers.diff_id IS NOT steps.diff_id)`,
  );
  return rows.map(({ key }) => ({
    code: 'STEP_DAMAGED',
    message: `the record of step ${key} names a layer that is not there`,
    subject: key,
  }));
}

function checkLayerRows(store: Store): Finding[] {
  const findings: Finding[] = store.database
    .all<{ id: number; base: number }>(
      `SELECT upper.id AS id, upper.base AS base FROM layers AS upper LEFT JOIN layers ON layers.id = upper.base
       WHERE upper.state = 'ready' AND upper.base IS NOT NULL AND layers.state IS NOT 'ready'`,
    )
    .map(({ id, base }) => ({
      code: 'LAYER_DAMAGED',
      message: `layer ${layerIdOf(id)} lies over layer ${layerIdOf(base)}, which is not there`,
      subject: layerIdOf(id),
    }));
  for (const { id, origin, recipe } of listLayers(store)) {
    if (!existsSync(layerDirectory(store.root, id))) {
      findings.push({ code: 'LAYER_MISSING', message: `layer ${id} has no directory`, subject: id });
    }
    if (recipe?.overrides === true && !existsSync(overridesPath(store.root, id))) {
      findings.push({ code: 'LAYER_MISSING', message: `layer ${id} has lost its overrides`, subject: id });
    }
    if (origin !== undefined && blobSize(store, origin.digest) !== origin.size) {
      findings.push({
        code: 'BLOB_MISSING',
        message: `layer ${id}: its blob ${origin.digest} is missing or has another size`,
        subject: origin.digest,
      });
    }
  }
  return findings;
}

/** Rows whose lease lives may have no file yet; a file whose row has gone meanwhile goes too. */
function checkBlobs(store: Store, options: CheckOptions): Finding[] {
  const findings: Finding[] = [];
  for (const digest of blobFiles(store)) {
    const path = blobPath(store.root, digest);
    if (store.database.get('SELECT 1 FROM blobs WHERE digest = ?', digest) === undefined) {
      findings.push({ code: 'STRAY', message: `blob ${digest} belongs to nothing`, subject: digest });
    } else {
      const found = hashIfThere(path, options.check);
      if (found === undefined || found === digest) continue;
      findings.push({
        code: 'BLOB_DAMAGED',
        message: `blob ${digest} has the digest ${found}`,
        subject: digest,
      });
    }
  }
  return findings;
}

function hashIfThere(path: string, check: CheckOptions['check']): Digest | undefined {
  try {
    return hashFile(path, check);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function checkLeases(store: Store, options: CheckOptions): Finding[] {
  const findings: Finding[] = [];
  const live = liveLeases(store, options.isLocked);
  for (const { id } of store.database.all<{ id: string }>('SELECT id FROM leases ORDER BY id')) {
    if (live.has(id)) continue;
    findings.push({ code: 'DEAD_LEASE', message: `lease ${id} belongs to a dead process`, subject: id });
  }
  const layers = store.database.all<{ id: number; state: string; lease: string | null }>(
    "SELECT id, state, lease FROM layers WHERE state <> 'ready' ORDER BY id",
  );
  for (const { id, state, lease } of layers) {
    if (state === 'pending' && lease !== null && live.has(lease)) continue;
    const what = state === 'pending' ? 'was never finished' : 'waits for its removal';
    const layer = layerIdOf(id);
    findings.push({ code: 'UNFINISHED', message: `layer ${layer} ${what}`, subject: layer });
  }
  return findings;
}

function checkStrays(store: Store): Finding[] {
  return findStrays(store).map((path) => ({
    code: 'STRAY',
    message: `${path} belongs to nothing`,
    subject: path,
  }));
}
