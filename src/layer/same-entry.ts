import type { LayerEntry } from './types.ts';

/** Whether two entries without content are packed to the same bytes. */
export function sameEntry(a: LayerEntry, b: LayerEntry): boolean {
  return (
    a.path === b.path &&
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.link === b.link &&
    a.hardLink === b.hardLink &&
    a.major === b.major &&
    a.minor === b.minor &&
    (a.opaque ?? false) === (b.opaque ?? false) &&
    sameAttributes(a.xattrs, b.xattrs)
  );
}

function sameAttributes(a: LayerEntry['xattrs'], b: LayerEntry['xattrs']): boolean {
  if ((a?.size ?? 0) !== (b?.size ?? 0)) return false;
  for (const [name, value] of a ?? []) if (b!.get(name)?.equals(value) !== true) return false;
  return true;
}
