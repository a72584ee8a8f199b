import type { BytePath } from '../sys/bytes.ts';

/** What a name in a tree is, without its content. Owners are the image's (0:0 for everything in a build context). */
export interface FileNode {
  type: 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of a file's content, 0 for the rest. */
  size: number;
  mtimeNs: bigint;
  /** Text of a symbolic link. */
  link?: BytePath;
  major?: number;
  minor?: number;
  xattrs?: Map<string, Buffer>;
  /** What is known of a file's content, where the tree that the node is of keeps that: spares the look-up by path. */
  known?: { readonly sha256: string | undefined };
  /** Same value for names of the same inode; absent when there is only one name. */
  inode?: string;
}

export interface NamedNode {
  name: BytePath;
  node: FileNode;
}

/**
 * A tree of files that can be looked at but not changed: a build context, or the merged root file system of a
 * stage (src/layer/listing-tree.ts). Paths are relative to its root, without leading, trailing or double slashes;
 * the root is the empty string. Nothing follows symbolic links: whoever needs that resolves component by
 * component inside the tree. Hidden names (ignore file) do not exist here.
 */
export interface FileTree {
  /** The node of a name, or undefined when there is none or a parent is not a directory. */
  lstat(path: BytePath): FileNode | undefined;
  /** Names in a directory, sorted bytewise; empty for anything else. */
  readdir(path: BytePath): BytePath[];
  /** All names of a directory with their nodes, as `readdir` and `lstat` give them: faster for walks. */
  entries?(path: BytePath): readonly NamedNode[];
  /** SHA-256 of a file's content, hex. Throws `changed` when the file is gone or not a file any more. */
  sha256(path: BytePath): string;
  /**
   * Files without a digest that `sha256All` will be asked for, and so many in all (`MANY_NEW_FILES`) that it is worth
   * beginning with them.
   */
  expectDigests?(paths: readonly BytePath[]): void;
  /**
   * What `sha256` gives for many files, in their order; computed in slices that let a cancel through. Absent where
   * digests are recorded anyway.
   */
  sha256All?(paths: readonly BytePath[], signal?: AbortSignal): Promise<string[]>;
}
