import type { CacheEntry } from './cache-entries.ts';
import { parseFilter } from './filter.ts';
import { allowedBytes, type DiskSpace, type GcRule } from './policy.ts';

export interface ChooseOptions {
  disk: DiskSpace;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * The entries that a list of rules takes away, one rule after the other. What a process at work holds is never among
 * them. `entries` are in the order in which they should go.
 */
export function chooseEntries(
  entries: readonly CacheEntry[],
  rules: readonly GcRule[],
  { disk, now }: ChooseOptions,
): CacheEntry[] {
  const chosen = new Set<CacheEntry>();
  for (const rule of rules) {
    const used = sum(entries.filter((entry) => !entry.shared && !chosen.has(entry)));
    const freed = sum([...chosen]);
    const allowed = allowedBytes(rule, used, { ...disk, free: disk.free + freed });
    const filters = (rule.filters ?? []).map(parseFilter);
    let left = used;
    for (const entry of entries) {
      if (allowed !== undefined && left <= allowed) break;
      if (chosen.has(entry) || entry.inUse || (entry.shared && rule.all !== true)) continue;
      if (rule.keepDurationMs !== undefined && now - entry.lastUsedMs < rule.keepDurationMs) continue;
      if (!filters.every((fits) => fits(entry))) continue;
      chosen.add(entry);
      left -= freedBytes(entry);
    }
  }
  return [...chosen];
}

/** Bytes that go when an entry goes. */
export function freedBytes(entry: CacheEntry): number {
  return entry.shared ? 0 : entry.size;
}

function sum(entries: readonly CacheEntry[]): number {
  return entries.reduce((bytes, entry) => bytes + freedBytes(entry), 0);
}
