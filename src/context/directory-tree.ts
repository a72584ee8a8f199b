import fs from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { baseName, joinPath, parentOf } from './clean-path.ts';
import { type ContentHasher, createContentHasher, type DiskEntry } from './content-hasher.ts';
import type { FileNode, FileTree, NamedNode } from './file-tree.ts';
import type { FingerprintIndex } from './fingerprint-index.ts';
import { createIgnoreRules, type IgnoreRules, type ParentState } from './ignore-rules.ts';
import { fsPath } from './read-file.ts';

export interface DirectoryTreeOptions {
  /** Absolute path of the directory. */
  root: BytePath;
  rules?: IgnoreRules | undefined;
  index: FingerprintIndex;
  /**
   * Extended attributes of a file by absolute path, without following links. Called only for files that the index
   * does not know: an attribute cannot change without the ctime. Without it, attributes count as absent.
   */
  readXattrs?: ((path: BytePath) => Map<string, Buffer> | undefined) | undefined;
}

/** One directory as it was when it was first looked at. */
interface Listing {
  /** Visible names, sorted bytewise. */
  names: BytePath[];
  /** Visible names; true for directories, until their stat data is read. */
  visible: Map<BytePath, boolean | DiskEntry>;
  state: ParentState;
}

/**
 * A directory of this machine as a tree: looked at once, lazily, and remembered for the life of the object.
 * Directories that the ignore rules hide are not read, unless an exception could match below.
 */
export function openDirectoryTree(options: DirectoryTreeOptions): FileTree {
  return new DirectoryTree(options);
}

class DirectoryTree implements FileTree {
  readonly #root: BytePath;
  readonly #rules: IgnoreRules;
  readonly #hasher: ContentHasher;
  readonly #listings = new Map<BytePath, Listing | undefined>();
  #rootEntry: DiskEntry | undefined;
  /** Walks ask for one name of a directory after the other. */
  #last: { directory: BytePath; listing: Listing | undefined } | undefined;
  /** For hidden directories: whether an exception shows something below. */
  readonly #showing = new Map<BytePath, boolean>();

  constructor(options: DirectoryTreeOptions) {
    this.#root = options.root;
    this.#rules = options.rules ?? createIgnoreRules([]);
    this.#hasher = createContentHasher(options);
  }

  lstat(path: BytePath): FileNode | undefined {
    return this.#entry(path)?.node;
  }

  readdir(path: BytePath): BytePath[] {
    return this.#listing(path)?.names ?? [];
  }

  entries(path: BytePath): NamedNode[] {
    const listing = this.#listing(path);
    if (listing === undefined) return [];
    return listing.names.map((name) => ({ name, node: this.#entryIn(listing, path, name)!.node }));
  }

  sha256(path: BytePath): string {
    return this.#hasher.sha256(path, this.#file(path));
  }

  async prefetch(paths: readonly BytePath[], signal?: AbortSignal): Promise<void> {
    const files = function* (tree: DirectoryTree): Generator<[BytePath, DiskEntry]> {
      for (const path of paths) yield [path, tree.#file(path)];
    };
    await this.#hasher.prefetch(files(this), signal);
  }

  #file(path: BytePath): DiskEntry {
    const entry = this.#entry(path);
    if (entry?.node.type !== 'file') throw changed(path);
    return entry;
  }

  #entry(path: BytePath): DiskEntry | undefined {
    if (path === '') {
      this.#rootEntry ??= this.#describe('');
      return this.#rootEntry;
    }
    const slash = path.lastIndexOf('/');
    if (
      this.#last === undefined ||
      this.#last.directory.length !== Math.max(slash, 0) ||
      !path.startsWith(this.#last.directory)
    ) {
      const directory = parentOf(path);
      this.#last = { directory, listing: this.#listing(directory) };
    }
    const { listing, directory } = this.#last;
    return listing === undefined ? undefined : this.#entryIn(listing, directory, path.slice(slash + 1));
  }

  #entryIn(listing: Listing, directory: BytePath, name: BytePath): DiskEntry | undefined {
    const known = listing.visible.get(name);
    if (known === undefined || typeof known === 'object') return known;
    const entry = this.#describe(joinPath(directory, name));
    listing.visible.set(name, entry);
    return entry;
  }

  #describe(path: BytePath): DiskEntry {
    const full = fsPath(joinPath(this.#root, path));
    const stat = fs.lstatSync(full, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) throw changed(path);
    return this.#hasher.describe(path, stat);
  }

  /** undefined for what is not a visible directory. */
  #listing(path: BytePath): Listing | undefined {
    if (this.#listings.has(path)) return this.#listings.get(path);
    // By the type in the parent's listing: looking at a directory's own attributes is left to `lstat`.
    const entry = path === '' || this.#listing(parentOf(path))?.visible.get(baseName(path));
    const isDirectory = typeof entry === 'object' ? entry.node.type === 'directory' : entry === true;
    const listing = isDirectory ? this.#list(path) : undefined;
    this.#listings.set(path, listing);
    return listing;
  }

  #list(path: BytePath): Listing {
    const parent = path === '' ? undefined : this.#listings.get(parentOf(path))?.state;
    const state = parent === undefined ? this.#rules.root : this.#rules.enter(path, parent);
    const visible: Listing['visible'] = new Map();
    for (const entry of this.#readEntries(path)) {
      const child = joinPath(path, entry.name);
      if (this.#rules.hides(child, state) && !this.#showsBelow(child, entry, state)) continue;
      visible.set(entry.name, entry.isDirectory());
    }
    const names = [...visible.keys()].sort((a, b) => (a < b ? -1 : 1));
    return { names, visible, state };
  }

  /** A hidden directory exists as the parent of what an exception shows in it, and not otherwise (SPEC I8). */
  #showsBelow(path: BytePath, entry: fs.Dirent, parent: ParentState): boolean {
    if (!entry.isDirectory() || !this.#rules.mayShowBelow(path)) return false;
    const known = this.#showing.get(path);
    if (known !== undefined) return known;
    const state = this.#rules.enter(path, parent);
    const shows = this.#readHidden(path).some((child) => {
      const childPath = joinPath(path, child.name);
      return !this.#rules.hides(childPath, state) || this.#showsBelow(childPath, child, state);
    });
    this.#showing.set(path, shows);
    return shows;
  }

  /** A hidden directory that cannot be read shows nothing. */
  #readHidden(path: BytePath): fs.Dirent[] {
    try {
      return this.#readEntries(path);
    } catch (error) {
      if (error instanceof SlipwayError && error.kind === 'denied') return [];
      throw error;
    }
  }

  #readEntries(path: BytePath): fs.Dirent[] {
    try {
      // "latin1" gives the bytes of names as they are.
      return fs.readdirSync(fsPath(joinPath(this.#root, path)), { withFileTypes: true, encoding: 'latin1' });
    } catch (error) {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) throw changed(path, error);
      throw new SlipwayError('denied', `cannot read directory "/${textOf(path)}" of the build context`, {
        code: 'CONTEXT_UNREADABLE',
        hint: 'Make it readable, or hide it with a line in the ignore file.',
        cause: error,
      });
    }
  }
}

function changed(path: BytePath, cause?: unknown): SlipwayError {
  return new SlipwayError('changed', `"/${textOf(path)}" changed while the build context was read`, {
    code: 'CONTEXT_CHANGED',
    hint: 'Let the other program finish, then build again.',
    cause,
  });
}
