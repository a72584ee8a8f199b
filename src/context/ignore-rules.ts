import type { BytePath } from '../sys/bytes.ts';
import type { IgnorePattern } from './ignore-pattern.ts';

/**
 * What is known of a directory when its names are tested: per pattern, whether the directory or one of its parents
 * matched it. Made by {@link IgnoreRules.enter}.
 */
export type ParentState = Uint8Array;

/**
 * Patterns in their order, applied as Docker does (SPEC 1.13): each pattern is tested in turn, but only where it
 * could change the verdict; a pattern that matched a parent matches what is below; the last hit decides.
 */
export interface IgnoreRules {
  readonly patterns: readonly IgnorePattern[];
  /** State for names in the root. */
  readonly root: ParentState;
  /** True when the path is hidden. `parent` belongs to the directory that holds it. */
  hides(path: BytePath, parent: ParentState): boolean;
  /** State for the names in this directory, hidden or not. */
  enter(directory: BytePath, parent: ParentState): ParentState;
  /** True when a `!` pattern could show something below this hidden directory, so that it must be walked. */
  mayShowBelow(directory: BytePath): boolean;
  /** Index of the pattern that hides a path (its parents are worked out here); -1 when it is not hidden. */
  hiddenBy(path: BytePath): number;
}

/** @param patterns compiled, in the order of the file */
export function createIgnoreRules(patterns: readonly IgnorePattern[]): IgnoreRules {
  const root = new Uint8Array(patterns.length);
  const exceptions = patterns.filter((pattern) => pattern.exception);

  /** Index of the deciding pattern, -1 for a path that is not hidden. */
  const decide = (path: BytePath, parent: ParentState, state?: ParentState): number => {
    let hidden = -1;
    for (let i = 0; i < patterns.length; i++) {
      const pattern = patterns[i]!;
      // A pattern that cannot change the verdict is not tested, and so not remembered for what is below.
      const hit = parent[i] === 1 || (pattern.exception === hidden >= 0 && pattern.matches(path));
      if (!hit) continue;
      if (state !== undefined) state[i] = 1;
      hidden = pattern.exception ? -1 : i;
    }
    return hidden;
  };
  const enter = (directory: BytePath, parent: ParentState): ParentState => {
    const state = new Uint8Array(patterns.length);
    decide(directory, parent, state);
    return state;
  };

  return {
    patterns,
    root,
    hides: (path, parent) => decide(path, parent) >= 0,
    enter,
    mayShowBelow: (directory) => exceptions.some((pattern) => mayMatchBelow(pattern, directory)),
    hiddenBy: (path) => {
      let parent: ParentState = root;
      for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
        parent = enter(path.slice(0, slash), parent);
      return decide(path, parent);
    },
  };
}

/**
 * True unless the literal elements a pattern begins with rule out every path below the directory. A pattern without
 * special characters is tried at its own path: below that, its parents' state speaks.
 */
export function mayMatchBelow(pattern: IgnorePattern, directory: BytePath): boolean {
  const prefix = pattern.literalPrefix;
  if (prefix === pattern.text) return prefix.startsWith(`${directory}/`);
  return prefix === '' || `${prefix}/`.startsWith(`${directory}/`) || directory.startsWith(`${prefix}/`);
}
