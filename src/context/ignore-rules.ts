import type { BytePath } from '../sys/bytes.ts';
import type { EarlierRules, EarlierState, RuleLine } from './earlier-rules.ts';
import type { IgnorePattern } from './ignore-pattern.ts';

/** What is known of a directory when its names are tested. Made by {@link IgnoreRules.enter}. */
export interface ParentState {
  /** Per pattern, whether the directory or one of its parents matched it. */
  hits: Uint8Array;
  earlier: EarlierState | undefined;
}

/** What rules make of a path. */
export interface IgnoreVerdict {
  hidden: boolean;
  /** Index of the pattern that had the last word; -1 where none matched. */
  pattern: number;
  /** In place of a pattern: the rule of the earlier ones that decided. */
  earlier?: RuleLine;
}

/**
 * Patterns in their order, applied as Docker does (SPEC 1.13): each pattern is tested in turn, but only where it
 * could change the verdict; a pattern that matched a parent matches what is below; the last hit decides.
 */
export interface IgnoreRules {
  readonly patterns: readonly IgnorePattern[];
  /** State for names in the root. */
  readonly root: ParentState;
  /**
   * True when the path is hidden. `parent` belongs to the directory that holds it; `directory` says whether the path is
   * one, which only earlier rules ask.
   */
  hides(path: BytePath, parent: ParentState, directory?: boolean): boolean;
  /** State for the names in this directory, hidden or not. */
  enter(directory: BytePath, parent: ParentState): ParentState;
  /** True when a `!` pattern could show something below this hidden directory, so that it must be walked. */
  mayShowBelow(directory: BytePath): boolean;
  /** Whether a path is hidden and by what; its parents are worked out here. */
  verdict(path: BytePath, directory: boolean): IgnoreVerdict;
}

/**
 * @param patterns compiled, in the order of the file
 * @param earlier rules that decide before them; a `!` pattern can show again what these hide
 */
export function createIgnoreRules(patterns: readonly IgnorePattern[], earlier?: EarlierRules): IgnoreRules {
  const root: ParentState = { hits: new Uint8Array(patterns.length), earlier: earlier?.root };
  const exceptions = patterns.filter((pattern) => pattern.exception);

  /** Index of the pattern that had the last word, -1 for none. `hits` is filled for what is below the path. */
  const decide = (path: BytePath, parent: Uint8Array, before: boolean, hits?: Uint8Array): number => {
    let hidden = before;
    let last = -1;
    for (let i = 0; i < patterns.length; i++) {
      const pattern = patterns[i]!;
      // A pattern that cannot change the verdict is not tested, and so not remembered for what is below.
      const hit = parent[i] === 1 || (pattern.exception === hidden && pattern.matches(path));
      if (!hit) continue;
      if (hits !== undefined) hits[i] = 1;
      hidden = !pattern.exception;
      last = i;
    }
    return last;
  };
  const isHidden = (last: number, before: boolean): boolean =>
    last < 0 ? before : !patterns[last]!.exception;
  const hides = (path: BytePath, parent: ParentState, directory = false): boolean => {
    const before = earlier?.decide(path, directory, parent.earlier!).hidden ?? false;
    return isHidden(decide(path, parent.hits, before), before);
  };
  const enter = (directory: BytePath, parent: ParentState): ParentState => {
    const hits = new Uint8Array(patterns.length);
    const before = earlier?.decide(directory, true, parent.earlier!).hidden ?? false;
    decide(directory, parent.hits, before, hits);
    return { hits, earlier: earlier?.enter(directory, parent.earlier!) };
  };

  return {
    patterns,
    root,
    hides,
    enter,
    mayShowBelow: (directory) => exceptions.some((pattern) => mayMatchBelow(pattern, directory)),
    verdict: (path, directory) => {
      let parent: ParentState = root;
      for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
        parent = enter(path.slice(0, slash), parent);
      const before = earlier?.decide(path, directory, parent.earlier!);
      const pattern = decide(path, parent.hits, before?.hidden ?? false);
      const hidden = isHidden(pattern, before?.hidden ?? false);
      return { hidden, pattern, ...(pattern < 0 && before?.by !== undefined && { earlier: before.by }) };
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
