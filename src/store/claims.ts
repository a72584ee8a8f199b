import type { LeaseId } from './layout.ts';
import { type IsLocked, isLeaseAlive } from './leases.ts';
import type { Store } from './store.ts';

/** `mine`: the caller runs the step. Otherwise `holder` does, and the caller looks again later. */
export type Claim = { mine: true } | { mine: false; holder: LeaseId };

/**
 * Asks to be the one who runs the step with `key`. A claim whose holder is dead passes to the caller; a lease that
 * holds it already gets it again. Whoever has waited must look for the step's record before running it.
 */
export function claim(store: Store, key: string, lease: LeaseId, isLocked?: IsLocked): Claim {
  return store.database.transaction((): Claim => {
    const row = store.database.get<{ lease: string }>('SELECT lease FROM claims WHERE key = ?', key);
    if (row !== undefined && row.lease !== lease && isLeaseAlive(store, row.lease, isLocked)) {
      return { mine: false, holder: row.lease };
    }
    if (row?.lease !== lease) {
      store.database.run('INSERT OR REPLACE INTO claims (key, lease) VALUES (?, ?)', key, lease);
    }
    return { mine: true };
  });
}

/**
 * As `claim`, for all of several keys or none.
 *
 * @returns The keys that others hold; empty when all are the caller's now.
 */
export function claimAll(store: Store, keys: readonly string[], lease: LeaseId): string[] {
  return store.database.transaction(() => {
    const taken = keys.filter((key) => {
      const holder = claimHolder(store, key);
      return holder !== undefined && holder !== lease && isLeaseAlive(store, holder);
    });
    if (taken.length > 0) return taken;
    for (const key of keys)
      store.database.run('INSERT OR REPLACE INTO claims (key, lease) VALUES (?, ?)', key, lease);
    return [];
  });
}

/** Gives the claim back, if it is this lease's. */
export function release(store: Store, key: string, lease: LeaseId): void {
  store.database.run('DELETE FROM claims WHERE key = ? AND lease = ?', key, lease);
}

/** Who has claimed `key`, if anyone: dead or alive. A plain read, for those who wait. */
export function claimHolder(store: Store, key: string): LeaseId | undefined {
  return store.database.get<{ lease: string }>('SELECT lease FROM claims WHERE key = ?', key)?.lease;
}
