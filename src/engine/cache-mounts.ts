import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import type { CacheUsage } from '../execute/run/cache-usage.ts';
import type { Store } from '../store/store.ts';
import type { StoreSession } from './session.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export type { CacheUsage } from '../execute/run/cache-usage.ts';

/** The cache mounts of a store, the largest first. */
export function listCacheMounts(options: StoreOptions = {}): Promise<CacheUsage[]> {
  return withSession(options, (store, session) => cacheMountsOf(store, session, options.signal));
}

/** The same in a session that is open. Starts a worker where there are any. */
export async function cacheMountsOf(
  store: Store,
  session: StoreSession,
  signal: AbortSignal | undefined,
): Promise<CacheUsage[]> {
  if (isEmpty(store)) return [];
  const { client } = await session.worker();
  return client.call<CacheUsage[]>('cache-list', {}, signal === undefined ? {} : { signal });
}

/** A cache mount by its id, or by the beginning of its digest (at least four digits). Throws `CACHE_NOT_FOUND`. */
export function findCacheMount(caches: readonly CacheUsage[], text: string): CacheUsage {
  const byDigest = /^[0-9a-f]{4,64}$/.test(text)
    ? caches.filter(({ digest }) => digest.startsWith(text))
    : [];
  const found = caches.find(({ id }) => id === text) ?? (byDigest.length === 1 ? byDigest[0] : undefined);
  if (found) return found;
  throw new SlipwayError('not-found', `no such cache mount: ${text}`, {
    code: 'CACHE_NOT_FOUND',
    hint: 'slipway cache ls shows them by their ids.',
  });
}

export interface RemoveCachesOptions extends StoreOptions {
  /** Which ones, of all that there are. */
  choose: (caches: readonly CacheUsage[]) => readonly CacheUsage[];
  /** Told of each that is gone. */
  onRemoved: (cache: CacheUsage) => void;
  /** Told of one that a step has mounted: it stays. */
  onBusy: (cache: CacheUsage) => void;
}

/** Deletes cache mounts; those in use by a running build stay. */
export function removeCacheMounts(options: RemoveCachesOptions): Promise<void> {
  return withSession(options, async (store, session) => {
    if (isEmpty(store)) {
      options.choose([]);
      return;
    }
    const worker = await session.worker();
    const caches = await cacheMountsOf(store, session, options.signal);
    for (const cache of options.choose(caches)) {
      const { digest } = cache;
      const removed = await worker.client.call<boolean>('cache-remove', { digest }, signalOf(options));
      if (removed) options.onRemoved(cache);
      else options.onBusy(cache);
    }
  });
}

function signalOf({ signal }: StoreOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Spares the worker. */
function isEmpty(store: Store): boolean {
  try {
    return readdirSync(join(store.root, 'cache')).length === 0;
  } catch {
    return true;
  }
}
