import { pathNames } from '../../layer/paths.ts';
import type { LayerEntry } from '../../layer/types.ts';
import type { BytePath } from '../../sys/bytes.ts';

/** What a layer does to those below it. Directories do not count; a hard link counts, without bytes. */
export interface LayerUse {
  added: number;
  changed: number;
  removed: number;
  /** Bytes of this layer's files that a later layer replaces or removes. */
  wasted: number;
}

export interface WastedPath {
  path: BytePath;
  /** Bytes of the copies that nobody sees, in all layers. */
  bytes: number;
  /** How many such copies there are. */
  copies: number;
}

export interface LayersUse {
  layers: LayerUse[];
  /** Bytes of all files of all layers. */
  total: number;
  wasted: number;
  /** The most wasteful first. */
  paths: WastedPath[];
}

/** A name in the merged tree. */
interface Node {
  children: Map<BytePath, Node> | undefined;
  /** Absent for a directory. */
  file: { layer: number; size: number } | undefined;
}

/** Lays listings over each other, bottom first, and counts what each of them leaves of those below. */
export function layersUse(listings: readonly (readonly LayerEntry[])[]): LayersUse {
  const use: LayersUse = { layers: [], total: 0, wasted: 0, paths: [] };
  const wasted = new Map<BytePath, WastedPath>();
  const root: Node = { children: new Map(), file: undefined };

  const waste = (path: BytePath, { layer, size }: { layer: number; size: number }): void => {
    if (size === 0) return;
    const known = wasted.get(path) ?? { path, bytes: 0, copies: 0 };
    known.bytes += size;
    known.copies++;
    wasted.set(path, known);
    use.layers[layer]!.wasted += size;
    use.wasted += size;
  };
  /** Counts the files at and below a name that goes. */
  const remove = (path: BytePath, node: Node): number => {
    if (node.file !== undefined) waste(path, node.file);
    let files = node.file === undefined ? 0 : 1;
    for (const [name, child] of node.children ?? [])
      files += remove(path === '' ? name : `${path}/${name}`, child);
    return files;
  };

  for (const [layer, entries] of listings.entries()) {
    const own: LayerUse = { added: 0, changed: 0, removed: 0, wasted: 0 };
    use.layers.push(own);
    // What a layer takes away is taken from those below it, whatever the order of its entries.
    for (const { path, type, opaque } of entries) {
      if (type === 'whiteout') own.removed += detach(root, path, remove);
      else if (opaque === true) own.removed += empty(root, path, remove);
    }
    for (const { path, type, hardLink, size } of entries) {
      if (path === '' || type === 'whiteout') continue;
      const parent = directoryAt(root, path);
      const name = pathNames(path).at(-1)!;
      const before = parent.get(name);
      if (type === 'directory') {
        if (before?.children !== undefined) continue;
        if (before !== undefined) own.removed += remove(path, before);
        parent.set(name, { children: new Map(), file: undefined });
        continue;
      }
      const bytes = hardLink === undefined ? size : 0;
      use.total += bytes;
      if (before === undefined) own.added++;
      else if (before.file !== undefined) {
        own.changed++;
        waste(path, before.file);
      } else {
        own.removed += remove(path, before);
        own.added++;
      }
      parent.set(name, { children: undefined, file: { layer, size: bytes } });
    }
  }
  use.paths = [...wasted.values()].sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));
  return use;
}

/** Part of all bytes that the merged tree shows: 1 where nothing is wasted. */
export function efficiencyOf({ total, wasted }: LayersUse): number {
  return total === 0 ? 1 : (total - wasted) / total;
}

/** The names of the directory that holds a path; directories that no entry speaks of are made. */
function directoryAt(root: Node, path: BytePath): Map<BytePath, Node> {
  let at = root.children!;
  for (const name of pathNames(path).slice(0, -1)) {
    let next = at.get(name);
    if (next?.children === undefined) {
      next = { children: new Map(), file: undefined };
      at.set(name, next);
    }
    at = next.children!;
  }
  return at;
}

function nodeAt(root: Node, path: BytePath): Node | undefined {
  let at: Node | undefined = root;
  for (const name of pathNames(path)) at = at?.children?.get(name);
  return at;
}

type Remove = (path: BytePath, node: Node) => number;

function detach(root: Node, path: BytePath, remove: Remove): number {
  const node = nodeAt(root, path);
  if (node === undefined) return 0;
  const names = pathNames(path);
  const parent = nodeAt(root, names.slice(0, -1).join('/'));
  parent!.children!.delete(names.at(-1)!);
  return remove(path, node);
}

function empty(root: Node, path: BytePath, remove: Remove): number {
  const node = nodeAt(root, path);
  if (node?.children === undefined) return 0;
  const files = remove(path, node);
  node.children.clear();
  return files;
}
