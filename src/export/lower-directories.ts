import type { LayerEntry } from '../layer/types.ts';
import type { DirectoryMetadata } from '../layer/unpack-types.ts';

/** A layer's entries, got only when they are asked for. */
export type EntriesOf = () => readonly LayerEntry[];

/**
 * Looks directories up in a stack of layers, bottom first: what an archive's entry without an entry for its parent
 * gets for that parent. Undefined where the layers have no directory, or have deleted it.
 */
export function lowerDirectories(
  layers: readonly EntriesOf[],
): (path: string) => DirectoryMetadata | undefined {
  const indexes = layers.map((entries) => once(() => indexOf(entries())));
  return (path) => {
    for (const index of indexes.toReversed()) {
      const entries = index();
      const entry = entries.get(path);
      if (entry !== undefined) return entry.type === 'directory' ? entry : undefined;
      if (isHidden(entries, path)) return undefined;
    }
    return undefined;
  };
}

/** True when a directory on the way is deleted, replaced or opaque in this layer. */
function isHidden(entries: ReadonlyMap<string, LayerEntry>, path: string): boolean {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    const above = entries.get(path.slice(0, slash));
    if (above !== undefined && (above.type !== 'directory' || above.opaque === true)) return true;
  }
  return false;
}

function indexOf(entries: readonly LayerEntry[]): ReadonlyMap<string, LayerEntry> {
  const index = new Map<string, LayerEntry>();
  for (const entry of entries) index.set(entry.path, entry);
  return index;
}

function once<Value>(make: () => Value): () => Value {
  let value: Value | undefined;
  return () => {
    value ??= make();
    return value;
  };
}
