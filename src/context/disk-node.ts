import fs from 'node:fs';
import type { FileNode } from './file-tree.ts';

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFBLK } = fs.constants;

/** Stat data of a name in a build context as a node: owned by root (SPEC C12), without link text and attributes. */
export function nodeOf(stat: fs.BigIntStats): FileNode {
  const mode = Number(stat.mode);
  const type = typeOf(mode);
  const node: FileNode = {
    type,
    mode: mode & 0o7777,
    uid: 0,
    gid: 0,
    size: type === 'file' ? Number(stat.size) : 0,
    mtimeNs: stat.mtimeNs,
  };
  if (type === 'char' || type === 'block') {
    // The kernel's encoding of a device number (glibc's gnu_dev_major and gnu_dev_minor).
    node.major = Number(((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & 0xfffff000n));
    node.minor = Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xffffff00n));
  }
  if (type !== 'directory' && Number(stat.nlink) > 1) node.inode = `${stat.dev}:${stat.ino}`;
  return node;
}

function typeOf(mode: number): FileNode['type'] {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    case S_IFIFO:
      return 'fifo';
    case S_IFSOCK:
      return 'socket';
    default:
      return (mode & S_IFMT) === S_IFBLK ? 'block' : 'char';
  }
}
