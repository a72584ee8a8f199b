import fs from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import type { BytePath } from '../sys/bytes.ts';
import { baseName, joinPath, parentOf } from './clean-path.ts';
import { type ContentHasher, createContentHasher, type DiskEntry } from './content-hasher.ts';
import { contextChanged, contextUnreadable } from './context-changed.ts';
import type { FileClock } from './file-clock.ts';
import type { FileHashThread } from './file-hash-thread.ts';
import type { FileNode, FileTree, NamedNode } from './file-tree.ts';
import type { FingerprintIndex } from './fingerprint-index.ts';
import { type HashAhead, hashAhead } from './hash-ahead.ts';
import { hashAll } from './hash-all.ts';
import { createIgnoreRules, type IgnoreRules, type ParentState } from './ignore-rules.ts';
import { fsPath } from './read-file.ts';
import { startTimeSlice } from './time-slice.ts';

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
  clock?: FileClock | undefined;
}

/** How long after many files were hashed the index is written: the worker is busy then, and this process is not. */
const SAVE_AFTER_MS = 250;

/** One directory as it was when it was first looked at. */
interface Listing {
  path: BytePath;
  /** Visible names, sorted bytewise. */
  names: BytePath[];
  /** 1 where the name is a directory. */
  directories: Uint8Array;
  /** Filled when stat data is asked for. */
  entries: DiskEntry[];
  complete: boolean;
  /** Where the last name was found: walks ask for one after the other. */
  cursor: number;
  state: ParentState;
}

/**
 * A directory of this machine as a tree: looked at once, lazily, and remembered for the life of the object.
 * Directories that the ignore rules hide are not read, unless an exception could match below.
 */
export function openDirectoryTree(options: DirectoryTreeOptions): FileTree & { close(): void } {
  return new DirectoryTree(options);
}

class DirectoryTree implements FileTree {
  readonly #root: BytePath;
  readonly #rules: IgnoreRules;
  readonly #index: FingerprintIndex;
  readonly #hasher: ContentHasher;
  readonly #listings = new Map<BytePath, Listing | undefined>();
  /** For hidden directories: whether an exception shows something below. */
  readonly #showing = new Map<BytePath, boolean>();
  /** Starts while the walk goes on: it takes 80 ms. */
  #thread: Promise<FileHashThread | undefined> | undefined;
  #ahead: HashAhead | undefined;
  #rootEntry: DiskEntry | undefined;
  #last: Listing | undefined;

  constructor(options: DirectoryTreeOptions) {
    this.#root = options.root;
    this.#rules = options.rules ?? createIgnoreRules([]);
    this.#index = options.index;
    this.#hasher = createContentHasher(options);
  }

  lstat(path: BytePath): FileNode | undefined {
    return this.#entry(path)?.node;
  }

  readdir(path: BytePath): BytePath[] {
    return this.#listing(path)?.names ?? [];
  }

  entries(path: BytePath): readonly NamedNode[] {
    const listing = this.#listing(path);
    if (listing === undefined) return [];
    if (!listing.complete) for (let at = 0; at < listing.names.length; at++) this.#entryAt(listing, at);
    listing.complete = true;
    return listing.entries;
  }

  sha256(path: BytePath): string {
    try {
      return this.#hasher.sha256(path, this.#file(path));
    } finally {
      this.#hasher.release();
    }
  }

  expectDigests(paths: readonly BytePath[]): void {
    this.#thread ??= this.#openThread();
    this.#ahead ??= hashAhead({
      hasher: this.#hasher,
      entryOf: (path) => this.#file(path),
      thread: this.#thread,
    });
    this.#ahead.add(paths);
  }

  async sha256All(paths: readonly BytePath[], signal?: AbortSignal): Promise<string[]> {
    const files = paths.map((path) => ({ path, entry: this.#file(path) }));
    const isUnknown = ({ entry }: (typeof files)[number]): boolean => entry.known.sha256 === undefined;
    const thread = await this.#thread;
    const ahead = this.#ahead?.end();
    this.#ahead = undefined;
    const slice = startTimeSlice(signal);
    const hash = (some: typeof files): Promise<void> =>
      hashAll({ hasher: this.#hasher, files: some, slice, thread });
    try {
      await hash(files.filter((file) => isUnknown(file) && ahead?.isAsked(file.entry) !== true));
      if (ahead !== undefined) await slice.wait(ahead.answered);
      await hash(files.filter(isUnknown));
    } finally {
      this.close();
    }
    if (ahead !== undefined) setTimeout(() => this.#index.save(), SAVE_AFTER_MS).unref();
    return files.map(({ entry }) => entry.known.sha256!);
  }

  async #openThread(): Promise<FileHashThread | undefined> {
    const { openFileHashThread } = await import('./file-hash-thread.ts');
    return openFileHashThread(this.#root);
  }

  /** Ends the thread that helps, if there is one. */
  close(): void {
    this.#ahead?.end();
    this.#ahead = undefined;
    void this.#thread?.then((thread) => thread?.close());
    this.#thread = undefined;
  }

  #file(path: BytePath): DiskEntry {
    const entry = this.#entry(path);
    if (entry?.node.type !== 'file') throw contextChanged(path);
    return entry;
  }

  #entry(path: BytePath): DiskEntry | undefined {
    if (path === '') {
      this.#rootEntry ??= this.#describe('', '');
      return this.#rootEntry;
    }
    const slash = path.lastIndexOf('/');
    const last = this.#last;
    const isSame =
      last !== undefined && last.path.length === Math.max(slash, 0) && path.startsWith(last.path);
    const listing = isSame ? last : this.#listing(parentOf(path));
    if (listing === undefined) return undefined;
    this.#last = listing;
    const at = positionOf(listing, path.slice(slash + 1));
    return at < 0 ? undefined : this.#entryAt(listing, at);
  }

  #entryAt(listing: Listing, at: number): DiskEntry {
    const known = listing.entries[at];
    if (known !== undefined) return known;
    const name = listing.names[at]!;
    const entry = this.#describe(joinPath(listing.path, name), name);
    listing.entries[at] = entry;
    return entry;
  }

  #describe(path: BytePath, name: BytePath): DiskEntry {
    const full = fsPath(joinPath(this.#root, path));
    const stat = fs.lstatSync(full, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) throw contextChanged(path);
    return this.#hasher.describe(path, name, stat);
  }

  /** undefined for what is not a visible directory. */
  #listing(path: BytePath): Listing | undefined {
    const known = this.#listings.get(path);
    if (known !== undefined || this.#listings.has(path)) return known;
    // By the type in the parent's listing: looking at a directory's own attributes is left to `lstat`.
    const listing = path === '' || this.#isDirectory(path) ? this.#list(path) : undefined;
    this.#listings.set(path, listing);
    return listing;
  }

  #isDirectory(path: BytePath): boolean {
    const listing = this.#listing(parentOf(path));
    const at = listing === undefined ? -1 : positionOf(listing, baseName(path));
    return at >= 0 && listing!.directories[at] === 1;
  }

  #list(path: BytePath): Listing {
    const parent = path === '' ? undefined : this.#listings.get(parentOf(path))?.state;
    const state = parent === undefined ? this.#rules.root : this.#rules.enter(path, parent);
    const visible = this.#readEntries(path).filter((entry) => {
      const child = joinPath(path, entry.name);
      return !this.#rules.hides(child, state, entry.isDirectory()) || this.#showsBelow(child, entry, state);
    });
    // The default order of strings is by code unit, which is by byte here.
    const names = visible.map((entry) => entry.name).sort();
    const listing = { path, names, directories: new Uint8Array(names.length), state };
    const known: Listing = { ...listing, entries: new Array(names.length), complete: false, cursor: 0 };
    for (const entry of visible)
      if (entry.isDirectory()) known.directories[positionOf(known, entry.name)] = 1;
    return known;
  }

  /** A hidden directory exists as the parent of what an exception shows in it, and not otherwise (SPEC I8). */
  #showsBelow(path: BytePath, entry: fs.Dirent, parent: ParentState): boolean {
    if (!entry.isDirectory() || !this.#rules.mayShowBelow(path)) return false;
    const known = this.#showing.get(path);
    if (known !== undefined) return known;
    const state = this.#rules.enter(path, parent);
    const shows = this.#readHidden(path).some((child) => {
      const childPath = joinPath(path, child.name);
      return (
        !this.#rules.hides(childPath, state, child.isDirectory()) || this.#showsBelow(childPath, child, state)
      );
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
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) throw contextChanged(path, error);
      throw contextUnreadable(path, error);
    }
  }
}

/** Index of a name in a listing, or -1. */
function positionOf(listing: Listing, name: BytePath): number {
  const { names } = listing;
  for (const guess of [listing.cursor, listing.cursor + 1]) {
    if (names[guess] !== name) continue;
    listing.cursor = guess;
    return guess;
  }
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle]! < name) low = middle + 1;
    else high = middle;
  }
  if (names[low] !== name) return -1;
  listing.cursor = low;
  return low;
}
