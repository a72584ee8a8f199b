import { layerRowOf } from '../layout.ts';
import type { Store } from '../store.ts';
import { HELD, type LayerEntry } from './cache-entries.ts';

/** How long what only saves time is kept after it was last written. */
const MEMORY_MS = 90 * 86_400_000;

/**
 * Forgets the records of entries, so that the collection finds their layers; gives those that went. What a process has
 * begun to hold since they were listed stays.
 */
export function dropEntries(store: Store, entries: readonly LayerEntry[]): LayerEntry[] {
  return store.database.transaction(() =>
    entries.filter(
      ({ layer }) =>
        store.database.run(
          `DELETE FROM steps WHERE layer = ?
             AND NOT EXISTS (SELECT 1 FROM layers WHERE layers.id = steps.layer AND ${HELD})`,
          layerRowOf(layer),
        ).changes > 0,
    ),
  );
}

/** Notes what layers take on the disk. */
export function noteDiskSizes(store: Store, sizes: Readonly<Record<string, number>>): void {
  store.database.transaction(() => {
    for (const [layer, bytes] of Object.entries(sizes)) {
      store.database.run('UPDATE layers SET disk_size = ? WHERE id = ?', bytes, layerRowOf(layer));
    }
  });
}

/** Forgets digests of selections and costs of steps that nobody has needed for long. */
export function dropOldMemory(store: Store, now = Date.now()): void {
  store.database.transaction(() => {
    for (const table of ['contents', 'costs', 'plans'])
      store.database.run(`DELETE FROM ${table} WHERE used_ms < ?`, now - MEMORY_MS);
  });
}
