import type { FileNode } from './file-tree.ts';

/**
 * The mode of a file as git knows it: whether its owner may execute it, and nothing else. A checkout gives the same
 * whatever the umask, and on file systems without modes. Links and special files are left as they are.
 */
export function normalMode({ type, mode }: Pick<FileNode, 'type' | 'mode'>): number {
  if (type === 'directory') return 0o755;
  if (type !== 'file') return mode;
  return (mode & 0o100) === 0 ? 0o644 : 0o755;
}
