import type { BytePath } from '../sys/bytes.ts';
import type { FileNode, FileTree } from './file-tree.ts';

/** To read so many files takes as long as to start a thread or a worker. */
const MANY_NEW_FILES = 3000;

/** Whether it is a file whose content has no digest yet, in a tree that keeps with its nodes what it knows. */
export function isNew({ type, known }: FileNode): boolean {
  return type === 'file' && known?.sha256 === undefined;
}

/** New files that are told at a time. */
const BATCH = 64;

/**
 * Counts the new files among those that it is called with, whatever directories they lie in. When there are many
 * `onMany` is called, once, and the tree hears of them, so that it can begin to digest them.
 *
 * @returns to be called with each path of the tree and its node
 */
export function newFileCounter(tree: FileTree, onMany: () => void): (path: BytePath, node: FileNode) => void {
  let paths: BytePath[] = [];
  let many = false;
  return (path, node) => {
    if (!isNew(node)) return;
    paths.push(path);
    if (paths.length < (many ? BATCH : MANY_NEW_FILES)) return;
    tree.expectDigests?.(paths);
    paths = [];
    if (!many) onMany();
    many = true;
  };
}
