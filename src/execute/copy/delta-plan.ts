import type { LayerEntry } from '../../layer/types.ts';
import type { BytePath } from '../../sys/bytes.ts';
import type { SelectedFile, SelectedSource } from '../executor.ts';
import type { BaseIndex } from './base-index.ts';
import { type CopyAttributes, modeOf, ownerOf } from './copy-attributes.ts';

/** What a COPY has to do where an earlier layer of its kind is in place already. Plain data; paths relative to the root. */
export interface DeltaPlan {
  /** Names of the earlier layer that the new one has not, the uppermost of each. */
  removed: BytePath[];
  /** The sources, cut down to what is to be written; directories whose time changes on the way are among it. */
  sources: { to: BytePath; source: SelectedSource }[];
  /** Names to be written or removed, and bytes to be copied. */
  work: number;
  bytes: number;
}

export interface DeltaRequest {
  sources: readonly SelectedSource[];
  /** Where each lands, see `copyTargets`. */
  targets: readonly BytePath[];
  attributes: CopyAttributes;
  base: BaseIndex;
  /** Whether a layer below both has this name. */
  isBelow: (path: BytePath) => boolean;
  /** Nanoseconds since 1970 to which times are clamped when they are packed. */
  clampNs?: bigint | undefined;
}

/** A name of the layer to be. */
interface Wanted {
  file: SelectedFile;
  source: number;
  /** All names of its inode, where there are several. */
  group?: BytePath[];
}

/**
 * Compares what a COPY selects with an earlier layer. A name is kept when type, metadata, time and content are
 * equal, so that the layer packs to the same bytes as if all of it had been written (DESIGN, decision 2). Hard links
 * are kept only as whole groups: a name that is hidden would still count in st_nlink.
 *
 * Undefined where that cannot be: a name that would have to be taken away is also in a layer below, which the
 * whiteout would hide; sources that contradict each other.
 */
export function planDelta(request: DeltaRequest): DeltaPlan | undefined {
  const { sources, targets, base } = request;
  const wanted = wantedNames(sources, targets);
  if (wanted === undefined) return undefined;
  const above = namesAbove(targets, sources);
  const removed = removedNames(wanted, above, base);
  if (removed.some(request.isBelow)) return undefined;

  const write = new Set<BytePath>();
  const touched = new Set<BytePath>(removed.map(parentOf));
  let bytes = 0;
  for (const [path, each] of wanted) {
    const entry = base.entries.get(path);
    const isOldDirectory = each.file.type === 'directory' && entry?.type === 'directory';
    // What an old directory has too much would stay on it.
    if (isOldDirectory && !sameXattrs(entry, each.file)) return undefined;
    const leader = each.group?.[0] ?? path;
    // The first name speaks for its inode.
    const isKept = leader === path ? isEqual(path, each, request) : !write.has(leader);
    if (isKept) continue;
    write.add(path);
    if (!isOldDirectory) touched.add(parentOf(path));
    bytes += each.file.size;
  }
  const work = write.size + removed.length;
  for (const path of touched) if (wanted.has(path)) write.add(path);
  const cut = sources.map((source, index) => {
    const to = targets[index]!;
    const files = source.files.filter(({ path }) => {
      const target = join(to, path);
      return write.has(target) && wanted.get(target)!.source === index;
    });
    return { to, source: { ...source, files } };
  });
  return {
    removed,
    sources: cut.filter(({ source }) => source.directory || source.files.length > 0),
    work,
    bytes,
  };
}

/** What stands at each name in the end: later sources replace what earlier ones left. */
function wantedNames(
  sources: readonly SelectedSource[],
  targets: readonly BytePath[],
): Map<BytePath, Wanted> | undefined {
  const wanted = new Map<BytePath, Wanted>();
  for (const [index, source] of sources.entries()) {
    const to = targets[index]!;
    for (const file of source.files) {
      const path = join(to, file.path);
      const before = wanted.get(path);
      if (before !== undefined && (before.file.type === 'directory') !== (file.type === 'directory'))
        return undefined;
      const each: Wanted = { file, source: index };
      if (file.hardLink !== undefined) {
        // A name of a group that another source replaces: not worth telling apart.
        if (sources.length > 1) return undefined;
        const first = wanted.get(join(to, file.hardLink))!;
        first.group ??= [join(to, file.hardLink)];
        first.group.push(path);
        each.group = first.group;
      }
      wanted.set(path, each);
    }
  }
  return wanted;
}

/** Directories that the COPY makes or goes through on its way to what it selects; theirs is not compared. */
function namesAbove(targets: readonly BytePath[], sources: readonly SelectedSource[]): Set<BytePath> {
  const above = new Set<BytePath>(['']);
  for (const [index, target] of targets.entries()) {
    if (sources[index]!.directory) above.add(target);
    for (let path = parentOf(target); path !== ''; path = parentOf(path)) above.add(path);
  }
  return above;
}

function removedNames(
  wanted: ReadonlyMap<BytePath, Wanted>,
  above: ReadonlySet<BytePath>,
  base: BaseIndex,
): BytePath[] {
  const removed: BytePath[] = [];
  // Parents come first in a listing, and all that is below one of them before anything else.
  let last: BytePath | undefined;
  for (const { path, type } of base.entries.values()) {
    if (last !== undefined && path.startsWith(`${last}/`)) continue;
    const each = wanted.get(path);
    const stays =
      each === undefined ? above.has(path) : (each.file.type === 'directory') === (type === 'directory');
    if (stays) continue;
    removed.push(path);
    last = path;
  }
  return removed;
}

function isEqual(path: BytePath, { file, group }: Wanted, request: DeltaRequest): boolean {
  const { base } = request;
  const entry = base.entries.get(path);
  return (
    entry !== undefined &&
    sameGroup(base.groups.get(entry.hardLink ?? path), group) &&
    hasMetadata(entry, file, request) &&
    sameTime(entry, file, request) &&
    sameContent(entry, file)
  );
}

function sameGroup(ours: readonly BytePath[] | undefined, theirs: readonly BytePath[] | undefined): boolean {
  if (ours === undefined || theirs === undefined) return ours === theirs;
  return ours.length === theirs.length && ours.every((name, i) => name === theirs[i]);
}

function hasMetadata(entry: LayerEntry, file: SelectedFile, { attributes }: DeltaRequest): boolean {
  const { uid, gid } = ownerOf(file, attributes);
  if (entry.uid !== uid || entry.gid !== gid) return false;
  if (file.type === 'symlink') return entry.type === 'symlink' && entry.xattrs === undefined;
  return entry.mode === modeOf(file, attributes) && sameXattrs(entry, file);
}

function sameXattrs(entry: LayerEntry, file: SelectedFile): boolean {
  const ours = entry.xattrs;
  const theirs = file.xattrs ?? [];
  if ((ours?.size ?? 0) !== theirs.length) return false;
  return theirs.every(([name, value]) => ours!.get(name)?.toString('base64') === value);
}

function sameTime(entry: LayerEntry, { mtimeNs }: SelectedFile, { clampNs }: DeltaRequest): boolean {
  if (mtimeNs === undefined) return false;
  const time = BigInt(mtimeNs);
  return entry.mtimeNs === (clampNs !== undefined && time > clampNs ? clampNs : time);
}

/** Sockets arrive as something else, and are made anew. */
function sameContent(entry: LayerEntry, file: SelectedFile): boolean {
  switch (file.type) {
    case 'file':
      return entry.type === 'file' && entry.size === file.size && entry.sha256 === file.sha256;
    case 'symlink':
      return entry.link === file.link;
    case 'char':
    case 'block':
      return entry.type === file.type && entry.major === file.major && entry.minor === file.minor;
    case 'fifo':
    case 'directory':
      return entry.type === file.type;
    default:
      return false;
  }
}

function parentOf(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function join(directory: BytePath, path: BytePath): BytePath {
  if (directory === '') return path;
  return path === '' ? directory : `${directory}/${path}`;
}
