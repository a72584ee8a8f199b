/** Bytes, or a part of the disk that the store lies on. */
export type Space = number | { percent: number };

/** One rule of the collector; as BuildKit's `gcpolicy`. */
export interface GcRule {
  /** Only entries that fit all of these (`parseFilter`). */
  filters?: readonly string[];
  /** Also what images need: their records go, their layers stay. */
  all?: boolean;
  /** Only what was not used for so many milliseconds. */
  keepDurationMs?: number;
  /** Never take the cache below this. */
  reservedSpace?: Space;
  /** Take the cache down to this. */
  maxUsedSpace?: Space;
  /** Take as much as is missing for this to be free on the disk. */
  minFreeSpace?: Space;
}

export interface DiskSpace {
  /** Bytes. */
  total: number;
  /** Bytes that whoever owns the store may still write. */
  free: number;
}

const DAY_MS = 86_400_000;

/**
 * What is done at the end of builds unless the store or the environment says otherwise: results that no build has
 * used for 60 days go; beyond that the cache may take half of the disk and leaves a tenth of it free.
 */
export const DEFAULT_RULES: readonly GcRule[] = [
  { keepDurationMs: 60 * DAY_MS, reservedSpace: 1e9, maxUsedSpace: 1e9 },
  { reservedSpace: 2e9, maxUsedSpace: { percent: 50 }, minFreeSpace: { percent: 10 } },
];

/**
 * Bytes that the cache may keep under a rule; undefined when the rule sets no limit and takes everything that fits
 * it. A limit is never below the reserved space.
 */
export function allowedBytes(rule: GcRule, used: number, disk: DiskSpace): number | undefined {
  const [reserved, most, free] = [rule.reservedSpace, rule.maxUsedSpace, rule.minFreeSpace].map((space) =>
    space === undefined ? 0 : bytesOf(space, disk),
  ) as [number, number, number];
  if (reserved === 0 && most === 0 && free === 0) return undefined;
  // Reserved space alone is what older versions of Docker call --keep-storage: a limit.
  if (most === 0 && free === 0) return reserved;
  const missing = free - disk.free;
  const limits = [...(most > 0 ? [most] : []), ...(missing > 0 ? [used - missing] : [])];
  return Math.max(limits.length > 0 ? Math.min(...limits) : Number.POSITIVE_INFINITY, reserved);
}

function bytesOf(space: Space, disk: DiskSpace): number {
  return typeof space === 'number' ? space : Math.floor((disk.total * space.percent) / 100);
}
