import { SlipwayError } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';
import { layerById } from './layers.ts';
import { type LayerId, layerIdOf, layerRowOf } from './layout.ts';
import type { Store } from './store.ts';

/** The result of a build step. */
export interface StepRecord {
  key: string;
  /** Digest of the step without its inputs: the same for the same line over another parent. */
  definition: string;
  /** Chain id of the parent, empty for scratch. */
  parentChain: string;
  /** Absent for a step that made no layer. */
  diffId?: Digest;
  layer?: LayerId;
  /** RFC 3339 with nanoseconds. */
  created: string;
  durationMs: number;
  buildId: string;
  /** Boot of the machine in which it was made. */
  bootId: string;
  /** What the key was made of, for explaining misses. Any JSON value. */
  parts: unknown;
}

/** A record's time of use is written again after this long at the earliest, to spare cached builds the write. */
const USED_GRAIN_MS = 3_600_000;

/**
 * Records a result; one with the same key is replaced. It keeps its layer alive.
 *
 * @throws SlipwayError `LAYER_GONE` when the layer is not ready.
 */
export function putStep(store: Store, step: StepRecord): void {
  store.database.transaction(() => {
    if (step.layer !== undefined && layerById(store, step.layer)?.diffId !== step.diffId) {
      throw new SlipwayError('conflict', `layer ${step.layer} of a step cannot be used: it is not there`, {
        code: 'LAYER_GONE',
      });
    }
    store.database.run(
      `INSERT OR REPLACE INTO steps
         (key, definition, parent_chain, diff_id, layer, created, duration_ms, build_id, boot_id, parts, used_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      step.key,
      step.definition,
      step.parentChain,
      step.diffId ?? null,
      step.layer === undefined ? null : layerRowOf(step.layer),
      step.created,
      step.durationMs,
      step.buildId,
      step.bootId,
      JSON.stringify(step.parts ?? null),
      Date.now(),
    );
  });
}

/** The record with this key. Its layer is ready. */
export function getStep(store: Store, key: string): StepRecord | undefined {
  const row = store.database.get<StepRow>('SELECT * FROM steps WHERE key = ?', key);
  return row && recordOf(row);
}

/** True when there is a record of the same step, over whatever parent (`otherThan`: over another parent than this). */
export function hasDefinition(store: Store, definition: string, otherThan?: string): boolean {
  const row =
    otherThan === undefined
      ? store.database.get('SELECT 1 FROM steps WHERE definition = ? LIMIT 1', definition)
      : store.database.get(
          'SELECT 1 FROM steps WHERE definition = ? AND parent_chain <> ? LIMIT 1',
          definition,
          otherThan,
        );
  return row !== undefined;
}

/** Records of the same step, the last made first; at most `limit`. */
export function stepsByDefinition(store: Store, definition: string, limit = 20): StepRecord[] {
  return store.database
    .all<StepRow>(
      'SELECT * FROM steps WHERE definition = ? ORDER BY created DESC, rowid DESC LIMIT ?',
      definition,
      limit,
    )
    .map(recordOf);
}

/** Records of steps over this parent that made a layer, the last made first; at most `limit`. */
export function stepsByParent(store: Store, parentChain: string, limit = 20): StepRecord[] {
  return store.database
    .all<StepRow>(
      'SELECT * FROM steps WHERE parent_chain = ? AND layer IS NOT NULL ORDER BY created DESC, rowid DESC LIMIT ?',
      parentChain,
      limit,
    )
    .map(recordOf);
}

/** All records, the last used first. */
export function listSteps(store: Store): (StepRecord & { usedMs: number })[] {
  return store.database
    .all<StepRow>('SELECT * FROM steps ORDER BY used_ms DESC, rowid DESC')
    .map((row) => ({ ...recordOf(row), usedMs: row.used_ms }));
}

/** The records used last, at most `limit`. */
export function recentSteps(store: Store, limit: number): StepRecord[] {
  return store.database
    .all<StepRow>('SELECT * FROM steps ORDER BY used_ms DESC, rowid DESC LIMIT ?', limit)
    .map(recordOf);
}

/** Notes that records were used, for the collector. Writes nothing when all were used within the last hour. */
export function touchSteps(store: Store, keys: readonly string[]): void {
  const now = Date.now();
  const old = keys.filter(
    (key) =>
      store.database.get('SELECT 1 FROM steps WHERE key = ? AND used_ms < ?', key, now - USED_GRAIN_MS) !==
      undefined,
  );
  if (old.length === 0) return;
  store.database.transaction(() => {
    for (const key of old) store.database.run('UPDATE steps SET used_ms = ? WHERE key = ?', now, key);
  });
}

/** Forgets results. Their layers become garbage unless something else needs them. */
export function dropSteps(store: Store, keys: readonly string[]): void {
  store.database.transaction(() => {
    for (const key of keys) store.database.run('DELETE FROM steps WHERE key = ?', key);
  });
}

interface StepRow {
  key: string;
  definition: string;
  parent_chain: string;
  diff_id: string | null;
  layer: number | null;
  created: string;
  duration_ms: number;
  build_id: string;
  boot_id: string;
  parts: string;
  used_ms: number;
}

function recordOf(row: StepRow): StepRecord {
  return {
    key: row.key,
    definition: row.definition,
    parentChain: row.parent_chain,
    ...(row.diff_id === null ? {} : { diffId: row.diff_id }),
    ...(row.layer === null ? {} : { layer: layerIdOf(row.layer) }),
    created: row.created,
    durationMs: row.duration_ms,
    buildId: row.build_id,
    bootId: row.boot_id,
    parts: JSON.parse(row.parts) as unknown,
  };
}
