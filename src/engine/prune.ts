import type { CacheEntry } from '../store/gc/cache-entries.ts';
import { chooseEntries, freedBytes } from '../store/gc/choose.ts';
import { dropEntries } from '../store/gc/drop.ts';
import { parseFilter } from '../store/gc/filter.ts';
import type { GcRule } from '../store/gc/policy.ts';
import { endDeadLeases } from '../store/leases.ts';
import type { Store } from '../store/store.ts';
import { diskOf, measuredEntries } from './measure-entries.ts';
import { dropMounts, mergeEntries, mountEntries } from './mount-entries.ts';
import type { StoreSession } from './session.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export interface PruneOptions extends StoreOptions, GcRule {
  /** Say what would go and change nothing. */
  dryRun?: boolean;
}

export interface PruneResult {
  /** What went, or would go, in that order. */
  entries: CacheEntry[];
  /** Bytes of the disk that this frees; what images need stays. */
  freed: number;
}

/**
 * Removes results and cache mounts from the build cache: those that fit every filter and were not used for `keepDurationMs`, the least
 * recently used first, down to what the limits allow; without a limit all of them. What an image or a container needs
 * stays on the disk, and what a running build uses is left alone.
 *
 * @throws SlipwayError `usage` for a filter that makes no sense
 */
export function prune(options: PruneOptions = {}): Promise<PruneResult> {
  const { dryRun = false, signal } = options;
  options.filters?.forEach(parseFilter);
  return withSession(options, async (store, session) => {
    endDeadLeases(store);
    const entries = await allEntries(store, session, signal);
    const chosen = chooseEntries(entries, [options], { disk: diskOf(store), now: Date.now() });
    if (dryRun) return resultOf(chosen);
    const layers = dropEntries(
      store,
      chosen.filter((entry) => entry.type === 'regular'),
    );
    // The layers' directories are deleted when the session closes, which does nothing unless its worker runs.
    const mounts = await dropMounts(
      session,
      chosen.filter((entry) => entry.type === 'exec.cachemount'),
    );
    const gone = new Set<CacheEntry>([...layers, ...mounts]);
    return resultOf(chosen.filter((entry) => gone.has(entry)));
  });
}

/** What the build cache consists of, the most recently used first, and what each takes on the disk. */
export function cacheUsage(
  options: StoreOptions & { filters?: readonly string[] } = {},
): Promise<CacheEntry[]> {
  const filters = (options.filters ?? []).map(parseFilter);
  return withSession(options, async (store, session) => {
    endDeadLeases(store);
    const entries = await allEntries(store, session, options.signal);
    return entries.reverse().filter((entry) => filters.every((fits) => fits(entry)));
  });
}

async function allEntries(
  store: Store,
  session: StoreSession,
  signal: AbortSignal | undefined,
): Promise<CacheEntry[]> {
  const layers = await measuredEntries(store, session, { signal });
  return mergeEntries(layers, await mountEntries(store, session, signal));
}

function resultOf(entries: CacheEntry[]): PruneResult {
  return { entries, freed: entries.reduce((sum, entry) => sum + freedBytes(entry), 0) };
}
