/**
 * Whether every id that the map `old` has is in the map `wider` too, as the same. Both as `StoreOptions.idMap`: then
 * all files of a store made with `old` have the owners in `wider` that they had.
 */
export function containsIdMap(wider: string, old: string): boolean {
  const [wideUid, wideGid, ...wideRest] = wider.split('/');
  const [oldUid, oldGid, ...oldRest] = old.split('/');
  if (wideRest.length > 0 || oldRest.length > 0) return false;
  return containsRanges(wideUid, oldUid) && containsRanges(wideGid, oldGid);
}

function containsRanges(wider: string | undefined, old: string | undefined): boolean {
  const wide = parseRanges(wider);
  const before = parseRanges(old);
  if (!wide || !before) return false;
  return before.every((range) =>
    wide.some(
      ({ inside, outside, count }) =>
        outside - inside === range.outside - range.inside &&
        inside <= range.inside &&
        range.inside + range.count <= inside + count,
    ),
  );
}

function parseRanges(text: string | undefined) {
  if (!text || !/^\d+:\d+:\d+(,\d+:\d+:\d+)*$/.test(text)) return undefined;
  return text.split(',').map((range) => {
    const [inside, outside, count] = range.split(':').map(Number) as [number, number, number];
    return { inside, outside, count };
  });
}
