import type { FileNode, FileTree } from './file-tree.ts';

/** To read so many files takes as long as to start a thread or a worker. */
export const MANY_NEW_FILES = 3000;

/** Whether it is a file whose content has no digest yet, in a tree that keeps with its nodes what it knows. */
export function isNew({ type, known }: FileNode): boolean {
  return type === 'file' && known?.sha256 === undefined;
}

/**
 * Counts the new files among the nodes that it is called with, whatever directories they lie in. When there are many
 * the tree gets ready to digest them, and `onMany` is called, once.
 */
export function newFileCounter(tree: FileTree, onMany: () => void): (node: FileNode) => void {
  let count = 0;
  return (node) => {
    if (!isNew(node) || ++count !== MANY_NEW_FILES) return;
    tree.expectDigests?.();
    onMany();
  };
}
