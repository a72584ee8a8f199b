import { lstatSync, readlinkSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import {
  majorOf,
  minorOf,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../sys/constants.ts';
import { pathIn } from '../sys/own-directory.ts';
import type { Sys } from '../sys/sys.ts';
import { WHOLE_FILE } from './archive-hash.ts';
import type { EntryType, LayerEntry } from './types.ts';
import { whiteoutEntry } from './whiteout.ts';
import { isRedirect, opaqueName, portableCapability, xattrTravels } from './xattr-rules.ts';

/** A name of the layer directory as the kernel shows it. */
export interface DiskNode {
  entry: LayerEntry;
  /** Same for all names of one inode; absent when there is only one name. */
  inode?: string;
  /** Its attributes were not read. */
  isBare?: boolean;
}

export interface NodeReaderOptions {
  /** Overlayfs was mounted with `userxattr`. */
  userxattr: boolean;
  /** Of the files that `PackOptions.lateAttributes` is about no attributes are read. */
  lateAttributes?: boolean | undefined;
}

const typeOfMode: Record<number, EntryType | undefined> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
  [S_IFCHR]: 'char',
  [S_IFBLK]: 'block',
  [S_IFIFO]: 'fifo',
};

/** Reads names of a layer directory in overlay form as entries, overlayfs's marks translated. */
export class NodeReader {
  readonly #sys: Sys;
  readonly #opaque: string;
  readonly #lateAttributes: boolean;
  #xattrs = true;

  constructor(sys: Sys, { userxattr, lateAttributes = false }: NodeReaderOptions) {
    this.#sys = sys;
    this.#opaque = opaqueName(userxattr);
    this.#lateAttributes = lateAttributes;
  }

  /** `path` in the directory `base`, which is absolute. Undefined for what has no place in a layer: sockets. */
  read(path: BytePath, base: BytePath): DiskNode | undefined {
    const at = pathIn(base, path);
    const stat = lstatSync(at, { bigint: true });
    const kind = Number(stat.mode);
    const type = typeOfMode[kind & S_IFMT];
    if (type === undefined) return undefined;
    if (type === 'char' && stat.rdev === 0n) return { entry: whiteoutEntry(path) };
    const entry: LayerEntry = {
      path,
      type,
      mode: kind & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: type === 'file' ? Number(stat.size) : 0,
      mtimeNs: stat.mtimeNs,
    };
    if (type === 'symlink') entry.link = readlinkSync(at, 'latin1');
    if (type === 'char' || type === 'block') {
      entry.major = majorOf(Number(stat.rdev));
      entry.minor = minorOf(Number(stat.rdev));
    }
    const node: DiskNode = { entry };
    if (stat.nlink > 1n && type !== 'directory') node.inode = `${stat.dev}:${stat.ino}`;
    if (this.#lateAttributes && this.#xattrs && isLate(entry)) node.isBare = true;
    else this.#readXattrs(entry, at);
    return node;
  }

  /** Adds the attributes that travel, and what overlayfs marked. */
  #readXattrs(entry: LayerEntry, at: string | Buffer): void {
    if (!this.#xattrs) return;
    let names: readonly string[];
    try {
      names = this.#sys.llistxattr(at);
    } catch (error) {
      if (!isErrno(error, 'ENOTSUP')) throw error;
      this.#xattrs = false;
      return;
    }
    if (names.length === 0) return;
    for (const name of [...names].sort()) {
      if (name === this.#opaque && entry.type === 'directory') {
        if (this.#sys.lgetxattr(at, name)?.toString('latin1') === 'y') entry.opaque = true;
      } else if (isRedirect(name)) {
        // The name's content lies elsewhere in a lower layer: packing what is here would lose it.
        throw new SlipwayError('unsupported', `${textOf(entry.path)} is an overlayfs redirect`, {
          code: 'OVERLAY_REDIRECT',
          hint: 'Mount the layer with redirect_dir=nofollow,metacopy=off.',
        });
      } else if (xattrTravels(name)) {
        const value = this.#sys.lgetxattr(at, name);
        if (value === undefined) continue;
        entry.xattrs ??= new Map();
        entry.xattrs.set(name, name === 'security.capability' ? portableCapability(value) : value);
      }
    }
  }
}

/** An executable may well have capabilities; an empty file is not opened, a large one not by whoever hashes. */
function isLate({ type, mode, size }: LayerEntry): boolean {
  return type === 'file' && (mode & 0o111) === 0 && size > 0 && size <= WHOLE_FILE;
}
