import type { CacheEntry, MountEntry } from '../store/gc/cache-entries.ts';
import type { Store } from '../store/store.ts';
import { cacheMountsOf } from './cache-mounts.ts';
import type { StoreSession } from './session.ts';

/** Digits of a digest that make the id of an entry, as of a layer's. */
const ID_LENGTH = 25;

/** The cache mounts of a store as entries of its cache. Their sizes are measured each time: they change. */
export async function mountEntries(
  store: Store,
  session: StoreSession,
  signal: AbortSignal | undefined,
): Promise<MountEntry[]> {
  const mounts = await cacheMountsOf(store, session, signal);
  return mounts.map(({ id, digest, size, createdMs, lastUsedMs, inUse }) => ({
    id: digest.slice(0, ID_LENGTH),
    digest,
    type: 'exec.cachemount',
    description: `cache mount ${id ?? digest}`,
    parents: [],
    createdMs: createdMs ?? lastUsedMs,
    lastUsedMs,
    size,
    measured: true,
    inUse,
    shared: false,
  }));
}

/** Both kinds in one order, the one that should go first in front. Each list comes in that order. */
export function mergeEntries(layers: readonly CacheEntry[], mounts: readonly MountEntry[]): CacheEntry[] {
  return [...layers, ...mounts].sort((a, b) => a.lastUsedMs - b.lastUsedMs);
}

/** Deletes cache mounts; gives those that went. A step may have begun to use one since they were listed. */
export async function dropMounts(
  session: StoreSession,
  entries: readonly MountEntry[],
): Promise<MountEntry[]> {
  const { client } = await session.worker();
  const gone: MountEntry[] = [];
  for (const entry of entries) {
    if (await client.call<boolean>('cache-remove', { digest: entry.digest })) gone.push(entry);
  }
  return gone;
}
