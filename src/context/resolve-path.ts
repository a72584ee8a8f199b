import { SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { joinPath } from './clean-path.ts';
import type { FileNode, FileTree } from './file-tree.ts';

/** As many as containerd follows before it takes a path for a loop. */
const MAX_LINKS = 255;

export interface ResolvedPath {
  /** Path without symbolic links. */
  path: BytePath;
  /** What is there; undefined when the path does not exist. */
  node: FileNode | undefined;
}

/**
 * Resolves a path inside a tree, element by element, symbolic links included: an absolute link starts at the tree's
 * root, `..` stops there. Nothing outside the tree is ever looked at.
 *
 * @param path relative to the root, cleaned
 * @param options.final whether a link as the last element is followed
 * @throws SlipwayError `invalid` SYMLINK_LOOP
 */
export function resolvePath(tree: FileTree, path: BytePath, options: { final: boolean }): ResolvedPath {
  const pending = path.split('/').reverse();
  let at: BytePath = '';
  let links = 0;
  while (pending.length > 0) {
    const name = pending.pop()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    const next = joinPath(at, name);
    const node = tree.lstat(next);
    const isLast = !pending.some((rest) => rest !== '' && rest !== '.');
    if (node === undefined) return { path: [next, ...pending.reverse()].join('/'), node: undefined };
    if (node.type !== 'symlink' || (isLast && !options.final)) {
      if (!isLast && node.type !== 'directory')
        return { path: [next, ...pending.reverse()].join('/'), node: undefined };
      at = next;
      continue;
    }
    if (++links > MAX_LINKS)
      throw new SlipwayError('invalid', `"/${textOf(path)}": too many links`, {
        code: 'SYMLINK_LOOP',
        hint: 'A symbolic link on the way points back to itself.',
      });
    const target = node.link ?? '';
    if (target.startsWith('/')) at = '';
    pending.push(...target.split('/').reverse());
  }
  return { path: at, node: tree.lstat(at) };
}
