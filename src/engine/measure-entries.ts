import { statfsSync } from 'node:fs';
import { type LayerEntry, listCacheEntries } from '../store/gc/cache-entries.ts';
import { noteDiskSizes } from '../store/gc/drop.ts';
import type { MeasuredLayer } from '../store/gc/measure.ts';
import type { DiskSpace } from '../store/gc/policy.ts';
import { layerById } from '../store/layers.ts';
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
  const layers = listCacheEntries(store)
    .filter(({ measured }) => !measured)
    .flatMap(({ layer }): MeasuredLayer[] => {
      const record = layerById(store, layer);
      return record ? [{ layer, diffId: record.diffId, origin: record.origin?.digest }] : [];
    });
  if (layers.length > 0) {
    const { client } = await session.worker();
    const { signal, limitMs } = options;
    const request = { layers, limitMs };
    const sizes = await client.call<Record<string, number>>('measure', request, signal ? { signal } : {});
    noteDiskSizes(store, sizes);
  }
  return listCacheEntries(store);
}

/** The disk that a store lies on. */
export function diskOf(store: Store): DiskSpace {
  const { blocks, bavail, bsize } = statfsSync(store.root);
  return { total: blocks * bsize, free: bavail * bsize };
}
