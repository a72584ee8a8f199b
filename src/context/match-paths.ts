import type { BytePath } from '../sys/bytes.ts';
import { joinPath } from './clean-path.ts';
import { compileElement } from './element-matcher.ts';
import type { FileTree } from './file-tree.ts';
import { hasWildcards } from './glob-syntax.ts';
import { resolvePath } from './resolve-path.ts';
import type { TimeSlice } from './time-slice.ts';

export type MatchedPaths = { found: BytePath[] } | { missing: BytePath };

/**
 * Paths of a tree that a pattern matches, element by element (SPEC C8), sorted. Elements before the first wildcard
 * are resolved like any path, links included; what the pattern matches itself is not followed on the way.
 *
 * @param pattern cleaned, relative to the root, with a wildcard in it
 * @returns what matches, perhaps nothing; or the elements before the first wildcard, when they lead nowhere
 */
export async function matchPaths(tree: FileTree, pattern: BytePath, slice: TimeSlice): Promise<MatchedPaths> {
  const elements = pattern.split('/');
  const first = elements.findIndex(hasWildcards);
  const literal = elements.slice(0, first).join('/');
  const base = resolvePath(tree, literal, { final: true });
  if (base.node?.type !== 'directory') return { missing: literal };
  let found = [base.path];
  for (const element of elements.slice(first)) {
    const matches = await compileElement(element);
    const next: BytePath[] = [];
    for (const directory of found) {
      for (const name of tree.readdir(directory)) if (matches(name)) next.push(joinPath(directory, name));
      if (slice.due()) await slice.pause();
    }
    found = next;
  }
  return { found };
}
