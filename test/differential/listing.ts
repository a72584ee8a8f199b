import { hash } from 'node:crypto';
import type { ArchiveEntry } from './read-tar.ts';

/**
 * The files of an image: absolute path to one line. `type mode uid:gid size-or-target digest mtime xattrs`, where
 * what does not apply is left out. Names are UTF-8 where they can be, other bytes as `\xNN`.
 */
export type Listing = Record<string, string>;

interface Node extends Omit<ArchiveEntry, 'path' | 'link'> {
  /** Of symbolic links. */
  link: string;
}

/** From here on a time is one at which something was built, not one that was given: listings say `now`. */
const BUILT = Date.UTC(2020, 0) / 1000;

/** Files whose bytes differ from machine to machine. */
const PROGRAMS = new Set(['bin/busybox']);

/**
 * What a container of these layers would see: each layer's entries over those below, whiteouts applied (OCI
 * image-spec, layer.md). Names of one file are shown by the first of them.
 */
export function listFiles(layers: readonly ArchiveEntry[][]): Listing {
  const root = new Map<string, Node>();
  for (const layer of layers) applyLayer(root, layer);
  const names = new Map<Node, string>();
  const listing: Listing = {};
  for (const path of [...root.keys()].sort()) {
    const node = root.get(path)!;
    const first = names.get(node);
    if (first === undefined) names.set(node, path);
    listing[`/${show(path)}`] = first === undefined ? describe(path, node) : `same as /${show(first)}`;
  }
  return listing;
}

function applyLayer(root: Map<string, Node>, layer: readonly ArchiveEntry[]): void {
  const made = new Set<string>();
  // Whiteouts hide what lies below their layer, never what their layer brings, wherever they stand in it.
  for (const entry of layer) {
    const path = clean(entry.path);
    const slash = path.lastIndexOf('/');
    const [directory, name] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
    if (name === '.wh..wh..opq') removeBelow(root, directory);
    else if (name.startsWith('.wh.')) {
      const hidden = directory === '' ? name.slice(4) : `${directory}/${name.slice(4)}`;
      removeBelow(root, hidden);
      root.delete(hidden);
    }
  }
  for (const { path: written, link, ...rest } of layer) {
    const path = clean(written);
    if (path === '' || path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.')) continue;
    if (made.has(path)) throw new Error(`a layer has ${path} twice`);
    made.add(path);
    if (rest.type === '1') {
      const target = root.get(clean(link));
      if (target === undefined || !made.has(clean(link))) throw new Error(`a layer links ${path} to nothing`);
      root.set(path, target);
      continue;
    }
    if (rest.type !== '5') removeBelow(root, path);
    root.set(path, { ...rest, link });
  }
}

function removeBelow(root: Map<string, Node>, directory: string): void {
  const prefix = directory === '' ? '' : `${directory}/`;
  for (const path of [...root.keys()]) if (path.startsWith(prefix)) root.delete(path);
}

function clean(path: string): string {
  return path.replace(/^(?:\.?\/)+|^\.$/, '').replace(/\/+$/, '');
}

const TYPES: Record<string, string> = {
  0: 'file',
  2: 'link',
  3: 'char',
  4: 'block',
  5: 'directory',
  6: 'fifo',
};

function describe(path: string, node: Node): string {
  const { type, mode, uid, gid, mtime, link, major, minor, content, xattrs } = node;
  const words = [TYPES[type]!];
  // A symbolic link's own mode means nothing, and archives disagree about it.
  if (type !== '2') words.push(mode.toString(8).padStart(4, '0'));
  words.push(`${uid}:${gid}`);
  if (type === '0' && PROGRAMS.has(path)) words.push('program');
  else if (type === '0') words.push(String(content.length), hash('sha256', content, 'hex').slice(0, 16));
  if (type === '2') words.push(`-> ${show(link)}`);
  if (type === '3' || type === '4') words.push(`${major},${minor}`);
  words.push(mtime >= BUILT ? 'now' : String(mtime));
  for (const name of Object.keys(xattrs).sort()) words.push(`${name}=${xattrs[name]!.toString('base64')}`);
  return words.join(' ');
}

function show(bytes: string): string {
  const buffer = Buffer.from(bytes, 'latin1');
  const text = buffer.toString('utf8');
  if (Buffer.from(text).equals(buffer)) return text;
  return bytes.replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** What a listing has that its base has not, and the names of the base that are gone. */
export interface ListingChange {
  root: Listing;
  removed: string[];
}

export function changesOf(listing: Listing, base: Listing): ListingChange {
  return {
    root: Object.fromEntries(Object.entries(listing).filter(([path, line]) => base[path] !== line)),
    removed: Object.keys(base).filter((path) => listing[path] === undefined),
  };
}
