import type { LayerEntry } from '../../layer/types.ts';
import type { BytePath } from '../../sys/bytes.ts';

/** The names of an earlier layer, for comparing a new one with it. */
export interface BaseIndex {
  entries: ReadonlyMap<BytePath, LayerEntry>;
  /** All names of an inode by its first one, where there are several. */
  groups: ReadonlyMap<BytePath, readonly BytePath[]>;
}

/**
 * Undefined for a layer with marks about the layers below it: over such a one no other can lie, since its marks
 * and those between the two could not be told apart.
 */
export function indexBase(listing: readonly LayerEntry[]): BaseIndex | undefined {
  const entries = new Map<BytePath, LayerEntry>();
  const groups = new Map<BytePath, BytePath[]>();
  for (const entry of listing) {
    if (entry.type === 'whiteout' || entry.opaque) return undefined;
    entries.set(entry.path, entry);
    if (entry.hardLink === undefined) continue;
    const group = groups.get(entry.hardLink);
    if (group === undefined) groups.set(entry.hardLink, [entry.hardLink, entry.path]);
    else group.push(entry.path);
  }
  return { entries, groups };
}
