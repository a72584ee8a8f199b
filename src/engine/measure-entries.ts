import { statfsSync } from 'node:fs';
import { type LayerEntry, listCacheEntries, NEEDED_BY_OTHERS } from '../store/gc/cache-entries.ts';
import { noteDiskSizes } from '../store/gc/drop.ts';
import type { MeasuredLayer } from '../store/gc/measure.ts';
import type { DiskSpace } from '../store/gc/policy.ts';
import { layerById } from '../store/layers.ts';
import { layerIdOf } from '../store/layout.ts';
import type { Store } from '../store/store.ts';
import type { StoreSession } from './session.ts';

/**
 * The entries of the cache with what they take on the disk, which the worker measures for those that were never
 * measured. A layer does not change, so that one look is enough.
 */
export async function measuredEntries(
  store: Store,
  session: StoreSession,
  options: { signal?: AbortSignal | undefined; limitMs?: number } = {},
): Promise<LayerEntry[]> {
  const unmeasured = listCacheEntries(store).filter(({ measured }) => !measured);
  const layers = unmeasured.map(({ layer }) => layer);
  await measure(store, session, layers, options);
  return listCacheEntries(store);
}

/** Measures the layers of images that were never measured. */
export async function measureImageLayers(
  store: Store,
  session: StoreSession,
  signal: AbortSignal | undefined,
): Promise<void> {
  const rows = store.database.all<{ id: number }>(
    `SELECT id FROM layers WHERE state = 'ready' AND disk_size IS NULL AND ${NEEDED_BY_OTHERS}`,
  );
  const layers = rows.map(({ id }) => layerIdOf(id));
  await measure(store, session, layers, { signal });
}

async function measure(
  store: Store,
  session: StoreSession,
  ids: readonly string[],
  { signal, limitMs }: { signal?: AbortSignal | undefined; limitMs?: number },
): Promise<void> {
  const layers = ids.flatMap((layer): MeasuredLayer[] => {
    const record = layerById(store, layer);
    return record ? [{ layer, diffId: record.diffId, origin: record.origin?.digest }] : [];
  });
  if (layers.length === 0) return;
  const { client } = await session.worker();
  const request = { layers, limitMs };
  const sizes = await client.call<Record<string, number>>('measure', request, signal ? { signal } : {});
  noteDiskSizes(store, sizes);
}

/** The disk that a store lies on. */
export function diskOf(store: Store): DiskSpace {
  const { blocks, bavail, bsize } = statfsSync(store.root);
  return { total: blocks * bsize, free: bavail * bsize };
}
