import type { FileNode, FileTree } from '../context/file-tree.ts';
import { SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { ListingIndex } from './listing-index.ts';
import { nameOf, parentOf } from './paths.ts';
import type { LayerEntry } from './types.ts';

/** A visible name of the merged tree. */
interface Merged {
  entry: LayerEntry;
  layer: number;
  /** For a directory: where the layers that make it up have it, the uppermost first. */
  parts: { layer: number; index: number }[];
}

/**
 * The root file system that a chain of layers makes, from their listings alone: what overlayfs would show.
 *
 * Lazy: a directory is merged when something in it is first asked for.
 */
export class ListingTree implements FileTree {
  readonly #layers: ListingIndex[];
  readonly #directories = new Map<BytePath, Map<BytePath, Merged>>();

  /** Listings as `decodeListing` gives them, the base first. */
  constructor(listings: readonly (readonly LayerEntry[])[]) {
    this.#layers = listings.map((entries) => new ListingIndex(entries));
  }

  /** The entry that is visible at `path`, as its layer has it; undefined if there is none. No links are followed. */
  entry(path: BytePath): LayerEntry | undefined {
    return this.#find(path)?.entry;
  }

  /** The number of the layer, from 0 for the base, that the visible name comes from (a directory: its metadata). */
  layerOf(path: BytePath): number | undefined {
    return this.#find(path)?.layer;
  }

  lstat(path: BytePath): FileNode | undefined {
    const found = this.#find(path);
    return found === undefined ? undefined : this.#node(found);
  }

  readdir(path: BytePath): BytePath[] {
    return [...(this.#children(path)?.keys() ?? [])].sort();
  }

  sha256(path: BytePath): string {
    const found = this.#find(path);
    const sha256 = found === undefined ? undefined : this.#first(found).sha256;
    if (sha256 === undefined) {
      throw new SlipwayError('changed', `/${textOf(path)} is not a file of this image`, {
        code: 'NOT_A_FILE',
      });
    }
    return sha256;
  }

  #find(path: BytePath): Merged | undefined {
    if (path === '') return this.#root();
    return this.#children(parentOf(path))?.get(nameOf(path));
  }

  /** The root may have no entry; its metadata is the uppermost that has one. */
  #root(): Merged {
    const parts: Merged['parts'] = [];
    let entry: LayerEntry | undefined;
    let from = 0;
    for (let layer = this.#layers.length - 1; layer >= 0; layer--) {
      const { root } = this.#layers[layer]!;
      parts.push({ layer, index: -1 });
      if (root !== undefined && entry === undefined) {
        entry = root;
        from = layer;
      }
      if (root?.opaque) break;
    }
    entry ??= { path: '', type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
    return { entry, layer: from, parts };
  }

  #children(path: BytePath): Map<BytePath, Merged> | undefined {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const directory = this.#find(path);
    if (directory?.entry.type !== 'directory') return undefined;
    const children = this.#merge(directory);
    this.#directories.set(path, children);
    return children;
  }

  #merge({ parts }: Merged): Map<BytePath, Merged> {
    const children = new Map<BytePath, Merged>();
    /** Names of which no lower layer shows anything more. */
    const closed = new Set<BytePath>();
    for (const { layer, index } of parts) {
      const listing = this.#layers[layer]!;
      for (const at of listing.childrenOf(index)) {
        const entry = listing.entries[at]!;
        const name = nameOf(entry.path);
        if (closed.has(name)) continue;
        const seen = children.get(name);
        const directory = entry.type === 'directory';
        if (seen === undefined && entry.type !== 'whiteout') {
          children.set(name, { entry, layer, parts: directory ? [{ layer, index: at }] : [] });
        } else if (seen !== undefined && directory) {
          seen.parts.push({ layer, index: at });
        }
        if (!directory || entry.opaque) closed.add(name);
      }
    }
    return children;
  }

  /** The first name of the inode, which may itself be hidden by now. */
  #first({ entry, layer }: Merged): LayerEntry {
    if (entry.hardLink === undefined) return entry;
    return this.#layers[layer]!.find(entry.hardLink) ?? entry;
  }

  #node(found: Merged): FileNode {
    const { entry, layer } = found;
    const { path, type, mode, uid, gid, size, mtimeNs, link, major, minor, xattrs } = this.#first(found);
    if (type === 'whiteout') throw new TypeError('a whiteout is never visible');
    const node: FileNode = { type, mode, uid, gid, size, mtimeNs };
    if (link !== undefined) node.link = link;
    if (major !== undefined) node.major = major;
    if (minor !== undefined) node.minor = minor;
    if (xattrs !== undefined) node.xattrs = xattrs;
    if (entry.hardLink !== undefined || this.#layers[layer]?.hasLinks(path)) node.inode = `${layer}:${path}`;
    return node;
  }
}
