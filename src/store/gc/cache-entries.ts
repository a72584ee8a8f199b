import { hash } from 'node:crypto';
import { layerIdOf } from '../layout.ts';
import type { Store } from '../store.ts';

/** What the build cache is made of. Plain data. */
export type CacheEntry = LayerEntry | MountEntry;

/** A layer that step records keep. */
export interface LayerEntry extends EntryFacts {
  type: 'regular';
  /** The layer's id in this store. */
  layer: string;
}

/** A directory of `RUN --mount=type=cache`. */
export interface MountEntry extends EntryFacts {
  type: 'exec.cachemount';
  /** SHA-256 of its id, in hexadecimal. */
  digest: string;
}

interface EntryFacts {
  /** 25 characters of a digest: of the layer, or of the mount's id. */
  id: string;
  /** The instruction, as far as its record tells; the mount's id. */
  description: string;
  /** Ids of the entries below it. */
  parents: string[];
  createdMs: number;
  lastUsedMs: number;
  /** Bytes that it takes on the disk; until it has been measured, those of its archive. */
  size: number;
  measured: boolean;
  /** A running build or another process at work holds it. */
  inUse: boolean;
  /** An image or a container needs it too: the disk keeps it whatever happens to the record. */
  shared: boolean;
}

interface Row {
  id: number;
  base: number | null;
  diff_id: string;
  size: number;
  measured: number;
  used_ms: number;
  created: string;
  parent_chain: string;
  parts: string;
  in_use: number;
  shared: number;
}

/**
 * What needs a ready layer beside step records; SQL over a row of `layers`. Whoever adds a table that keeps layers
 * adds it here.
 */
export const NEEDED_BY_OTHERS = 'EXISTS (SELECT 1 FROM image_layers WHERE image_layers.layer = layers.id)';
/** Another layer lies over it: it goes when that one has gone, and until then counts to the cache that both are of. */
export const BASE_OF_ANOTHER = 'EXISTS (SELECT 1 FROM layers AS upper WHERE upper.base = layers.id)';
export const HELD = 'EXISTS (SELECT 1 FROM holds WHERE holds.layer = layers.id)';

/** All entries, the one that should go first in front: least recently used; of one time the topmost. */
export function listCacheEntries(store: Store): LayerEntry[] {
  const rows = store.database.all<Row>(
    `SELECT layers.id, layers.base, layers.diff_id, coalesce(layers.disk_size, layers.tar_size) AS size,
       layers.disk_size IS NOT NULL AS measured, max(steps.used_ms) AS used_ms, min(steps.created) AS created,
       steps.parent_chain, steps.parts, ${HELD} AS in_use, ${NEEDED_BY_OTHERS} AS shared
     FROM layers JOIN steps ON steps.layer = layers.id
     WHERE layers.state = 'ready' GROUP BY layers.id`,
  );
  keepWhatIsStoodOn(rows);
  const byChain = new Map(rows.map((row) => [chainOf(row), entryId(row.diff_id)]));
  return rows.map((row) => ({
    id: entryId(row.diff_id),
    layer: layerIdOf(row.id),
    type: 'regular',
    description: describe(row.parts),
    parents: [byChain.get(row.parent_chain) ?? []].flat(),
    createdMs: Date.parse(row.created),
    lastUsedMs: row.used_ms,
    size: row.size,
    measured: row.measured === 1,
    inUse: row.in_use === 1,
    shared: row.shared === 1,
  }));
}

/** Bytes that the cache takes and nothing else needs, as far as is known without looking at the disk. */
export function cacheSize(store: Store): number {
  return store.database.get<{ size: number }>(
    `SELECT coalesce(sum(coalesce(disk_size, tar_size)), 0) AS size FROM layers
     WHERE state = 'ready' AND NOT ${NEEDED_BY_OTHERS}
       AND EXISTS (SELECT 1 FROM steps WHERE steps.layer = layers.id)`,
  )!.size;
}

/**
 * A layer counts as used when one that stands on it was, or that lies over its directories: without it the other would
 * never be found again. Topmost first among equals.
 */
function keepWhatIsStoodOn(rows: Row[]): void {
  const byChain = new Map(rows.map((row) => [chainOf(row), row]));
  const byId = new Map(rows.map((row) => [row.id, row]));
  // A layer is made after what it stands on.
  for (const row of rows.toSorted((a, b) => b.id - a.id)) {
    for (const below of [byChain.get(row.parent_chain), row.base === null ? undefined : byId.get(row.base)]) {
      if (below) below.used_ms = Math.max(below.used_ms, row.used_ms);
    }
  }
  rows.sort((a, b) => a.used_ms - b.used_ms || b.id - a.id);
}

/** ChainID of a layer on its parent. */
function chainOf({ diff_id, parent_chain }: Row): string {
  if (!parent_chain.startsWith('sha256:')) return diff_id;
  return `sha256:${hash('sha256', `${parent_chain} ${diff_id}`, 'hex')}`;
}

function entryId(diffId: string): string {
  return diffId.slice('sha256:'.length, 'sha256:'.length + 25);
}

/** `RUN make`, `COPY /src`: from the parts of the key. */
function describe(parts: string): string {
  const values = JSON.parse(parts) as Record<string, string> | null;
  if (values === null || typeof values !== 'object') return '';
  const { instruction = '', args, destination, path } = values;
  return [instruction, args === undefined ? (destination ?? path) : command(args)].filter(Boolean).join(' ');
}

/** Of the shell form the script alone. */
function command(args: string): string {
  // What is long is kept as a digest.
  if (!args.startsWith('[')) return args;
  const words = JSON.parse(args) as string[];
  return words.length === 3 && words[1] === '-c' ? words[2]! : words.join(' ');
}
