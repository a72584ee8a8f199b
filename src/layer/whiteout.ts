import type { BytePath } from '../sys/bytes.ts';
import type { LayerEntry } from './types.ts';

/** In an archive, `.wh.name` deletes `name` of the layers below. image-spec, layer.md, Whiteouts. */
export const WHITEOUT_PREFIX = '.wh.';

/** In an archive, this name hides all that lower layers have in its directory. */
export const OPAQUE_MARK = '.wh..wh..opq';

/** The name that stands in an archive for the whiteout of `path`. */
export function markPath(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${WHITEOUT_PREFIX}${path.slice(slash)}`;
}

/** A whiteout says nothing but its name. */
export function whiteoutEntry(path: BytePath): LayerEntry {
  return { path, type: 'whiteout', mode: 0, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
}
