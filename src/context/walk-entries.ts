import type { BytePath } from '../sys/bytes.ts';
import { joinPath } from './clean-path.ts';
import type { FileNode, FileTree, NamedNode } from './file-tree.ts';
import { type IgnoreRules, mayMatchBelow, type ParentState } from './ignore-rules.ts';
import type { SelectedEntry } from './selection.ts';
import type { TimeSlice } from './time-slice.ts';

export interface EntryFilter {
  /** Hides what matches, with everything below. */
  excludes: IgnoreRules | undefined;
  /** Takes only what matches, with everything below and the directories above. */
  includes?: IgnoreRules | undefined;
}

interface Frame {
  /** Relative to the walk's root. */
  path: BytePath;
  node: FileNode | undefined;
  /** Already among the entries. */
  taken: boolean;
  children: readonly NamedNode[];
  next: number;
  excluded: ParentState | undefined;
  included: ParentState | undefined;
}

/**
 * Everything below a directory that passes the filter, parents first. A directory that does not pass itself is among
 * the entries when something in it does.
 *
 * @param job.meet called with what is taken for its own sake, by its path in the tree
 * @param root path of the directory in the tree; the entries' paths are relative to it
 */
export async function walkEntries(
  job: { tree: FileTree; slice: TimeSlice; meet?: ((path: BytePath, node: FileNode) => void) | undefined },
  root: BytePath,
  filter: EntryFilter,
): Promise<SelectedEntry[]> {
  const { tree, slice, meet } = job;
  const { excludes, includes } = filter;
  const entries: SelectedEntry[] = [];
  const stack: Frame[] = [
    {
      path: '',
      node: undefined,
      taken: true,
      children: childrenOf(tree, root),
      next: 0,
      excluded: excludes?.root,
      included: includes?.root,
    },
  ];
  while (stack.length > 0) {
    const frame = stack.at(-1)!;
    const child = frame.children[frame.next++];
    if (child === undefined) {
      stack.pop();
      continue;
    }
    const { name, node } = child;
    const path = joinPath(frame.path, name);
    const hidden = excludes?.hides(path, frame.excluded!, node.type === 'directory') ?? false;
    const wanted = includes?.hides(path, frame.included!) ?? true;
    if (hidden && excludes?.mayShowBelow(path) === false) continue;
    const taken = wanted && !hidden;
    if (taken) {
      if (!frame.taken) for (const parent of stack) take(entries, parent);
      entries.push({ path, node });
      meet?.(joinPath(root, path), node);
    }
    if (
      node.type === 'directory' &&
      (wanted || includes!.patterns.some((pattern) => mayMatchBelow(pattern, path)))
    ) {
      stack.push({
        path,
        node,
        taken,
        children: childrenOf(tree, joinPath(root, path)),
        next: 0,
        excluded: excludes?.enter(path, frame.excluded!),
        included: includes?.enter(path, frame.included!),
      });
      if (slice.due()) await slice.pause();
    }
  }
  return entries;
}

/** All names of a directory with their nodes. */
export function childrenOf(tree: FileTree, directory: BytePath): readonly NamedNode[] {
  if (tree.entries !== undefined) return tree.entries(directory);
  return tree.readdir(directory).flatMap((name) => {
    const node = tree.lstat(joinPath(directory, name));
    return node === undefined ? [] : [{ name, node }];
  });
}

function take(entries: SelectedEntry[], frame: Frame): void {
  if (frame.taken) return;
  frame.taken = true;
  entries.push({ path: frame.path, node: frame.node! });
}
