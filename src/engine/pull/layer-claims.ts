import { setTimeout as pause } from 'node:timers/promises';
import type { Digest } from '../../image/types.ts';
import { claimAll, claimHolder, release } from '../../store/claims.ts';
import { layerByDiffId } from '../../store/layers.ts';
import { isLeaseAlive } from '../../store/leases.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSession } from '../session.ts';

/** How often it is looked whether another process has come to its end. */
const LOOK_MS = 50;

export interface LayerClaimsOptions {
  store: Store;
  session: StoreSession;
  signal?: AbortSignal | undefined;
  /** Told once of a layer that another process is fetching. */
  onWaiting: (diffId: Digest) => void;
}

/**
 * Makes this process the one that fetches those layers that are not in the store. Where another fetches some of them it
 * is waited for, and takes them when that one fails or dies. All are claimed together: whoever waits holds nothing that
 * somebody could be waiting for.
 *
 * @returns Gives the claims back.
 * @throws what the signal was aborted with
 */
export async function claimLayers(
  diffIds: readonly Digest[],
  { store, session, signal, onWaiting }: LayerClaimsOptions,
): Promise<() => void> {
  const lease = session.lease();
  const told = new Set<Digest>();
  for (;;) {
    signal?.throwIfAborted();
    const missing = diffIds.filter((diffId) => !isHere(store, diffId));
    const busy = claimAll(store, missing.map(keyOf), lease);
    if (busy.length === 0)
      return () => {
        for (const diffId of missing) release(store, keyOf(diffId), lease);
      };
    for (const diffId of missing) {
      if (!busy.includes(keyOf(diffId)) || told.has(diffId)) continue;
      told.add(diffId);
      onWaiting(diffId);
    }
    while (busy.some((key) => isTaken(store, key, lease))) await pause(LOOK_MS, undefined, { signal });
  }
}

/** One that does not fit everywhere gives way to the one that comes. */
function isHere(store: Store, diffId: Digest): boolean {
  const known = layerByDiffId(store, diffId);
  return known !== undefined && known.fits === undefined;
}

function isTaken(store: Store, key: string, lease: string): boolean {
  const holder = claimHolder(store, key);
  return holder !== undefined && holder !== lease && isLeaseAlive(store, holder);
}

function keyOf(diffId: Digest): string {
  return `pull ${diffId}`;
}
