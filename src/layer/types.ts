import type { BytePath } from '../sys/bytes.ts';

/** What kind of thing an entry of a layer is. A hard link has the type of its inode, and `hardLink` names the first name. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'whiteout';

/**
 * One name in a layer, in the image's own terms (owners as the image has them, whatever the store's id map).
 *
 * `path` is relative to the root, without leading or trailing slash; the root itself is the empty string.
 */
export interface LayerEntry {
  path: BytePath;
  type: EntryType;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content; 0 for everything but files. */
  size: number;
  /** Nanoseconds since 1970; negative before. */
  mtimeNs: bigint;
  /** Text of a symbolic link. */
  link?: BytePath;
  /** Path of the first name of the same inode in this layer. */
  hardLink?: BytePath;
  major?: number;
  minor?: number;
  /** Extended attributes that travel (`security.capability` in its version-2 form, `user.*`, …), values raw. */
  xattrs?: Map<string, Buffer>;
  /** A directory that hides everything below it in lower layers. */
  opaque?: boolean;
  /** SHA-256 of a file's content, hex. Absent for a hard link (its first name has it), and see `lacksDigest`. */
  sha256?: string;
}

/** Whether an entry is a file whose digest was left out: see `PackOptions.digests`. */
export function lacksDigest({ type, hardLink, sha256 }: LayerEntry): boolean {
  return type === 'file' && hardLink === undefined && sha256 === undefined;
}

/** What a layer directory could not hold of an entry, because the kernel refused it without privilege. */
export interface Override {
  /** A device whose place an empty file takes. */
  type: EntryType;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  major?: number;
  minor?: number;
  xattrs?: Map<string, Buffer>;
}

/**
 * By path, the whole metadata of the names that the directory holds wrongly; of several names of one inode, the
 * first. The packer writes these in place of what lstat says.
 */
export type Overrides = Map<BytePath, Override>;

/** What hashing a layer directory yields. */
export interface LayerDigest {
  /** `sha256:…` of the uncompressed tar that our packer writes. */
  diffId: string;
  /** Bytes of that tar. */
  tarSize: number;
  /** Sum of the file sizes in it, hard links once: what `images` counts. */
  size: number;
  /** Version of the packer that gave `diffId`. */
  packer: number;
}
