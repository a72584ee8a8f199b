/** Ids `inside`, `inside + 1`, … of a user namespace are `outside`, `outside + 1`, … in the one around it. */
export interface IdRange {
  inside: number;
  outside: number;
  count: number;
}

/** The maps of a user namespace. */
export interface IdMaps {
  uid: IdRange[];
  gid: IdRange[];
}

/**
 * The ranges that a file like /etc/subuid gives to a user: lines `name-or-id:start:count` (subuid(5)). Lines of
 * others, and lines that make no sense, are passed over.
 */
export function subordinateRanges(
  text: string,
  user: { name: string | undefined; id: number },
): { start: number; count: number }[] {
  return text.split('\n').flatMap((line) => {
    const [owner, start, count, ...rest] = line.trim().split(':');
    if (rest.length > 0 || (owner !== user.name && owner !== String(user.id))) return [];
    if (!/^\d+$/.test(start ?? '') || !/^\d+$/.test(count ?? '')) return [];
    const range = { start: Number(start), count: Number(count) };
    return range.count > 0 && range.start + range.count <= 0xffff_ffff ? [range] : [];
  });
}

/** As many lines as the kernel takes in a map (user_namespaces(7)), one of them for the user's own id. */
const MAX_RANGES = 339;

/**
 * A map with the user's own id as 0 and the subordinate ids from 1 on, whatever number their ranges begin with and
 * however many there are. Ids that several ranges name, and the user's own, are mapped once: the kernel refuses
 * overlaps.
 */
export function rootAndRanges(own: number, ranges: readonly { start: number; count: number }[]): IdRange[] {
  const map: IdRange[] = [{ inside: 0, outside: own, count: 1 }];
  let inside = 1;
  for (const { start, count } of ranges) {
    for (const piece of without({ start, end: start + count }, map)) {
      if (map.length > MAX_RANGES) return map;
      map.push({ inside, outside: piece.start, count: piece.end - piece.start });
      inside += piece.end - piece.start;
    }
  }
  return map;
}

interface Span {
  start: number;
  /** Exclusive. */
  end: number;
}

/** What is left of a span when the outer ids of a map are taken out. */
function without(span: Span, map: readonly IdRange[]): Span[] {
  let pieces = [span];
  for (const { outside, count } of map) {
    pieces = pieces.flatMap(({ start, end }) => [
      { start, end: Math.min(end, outside) },
      { start: Math.max(start, outside + count), end },
    ]);
    pieces = pieces.filter(({ start, end }) => start < end);
  }
  return pieces;
}

/** The ranges of /proc/PID/uid_map or gid_map. */
export function parseIdMap(text: string): IdRange[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
      return { inside, outside, count };
    });
}

/** All ids that there are. */
const ALL_IDS = 0xffff_ffff;

/**
 * Each id of a namespace as itself, as far as the namespace has ids: for whoever may map any of them. A map of all
 * ids is what the first namespace has; the last one is left out, so that nobody takes this for it.
 */
export function identity(ranges: readonly IdRange[]): IdRange[] {
  return ranges.map(({ inside, count }) => ({
    inside,
    outside: inside,
    count: count === ALL_IDS ? count - 1 : count,
  }));
}

/** One word for a store's format file (`StoreOptions.idMap`). */
export function idMapWord({ uid, gid }: IdMaps): string {
  const words = [uid, gid].map((ranges) =>
    ranges.map(({ inside, outside, count }) => `${inside}:${outside}:${count}`).join(','),
  );
  return words.join('/');
}

/** The lines of /proc/PID/uid_map, as written there, or given to newuidmap as words. */
export function mapLines(ranges: readonly IdRange[]): string[] {
  return ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}`);
}
