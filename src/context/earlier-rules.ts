import type { BytePath } from '../sys/bytes.ts';

/** A line of an ignore file, for people. */
export interface RuleLine {
  /** As a person would name it, relative to the context; absent for the context's own ignore file. */
  file?: string;
  /** From 1; 0 for what needs no line. */
  line: number;
  pattern: string;
}

/** What is known of a directory for its names: made and read by `EarlierRules` alone. */
export type EarlierState = object;

/** Rules that decide before those of an ignore file, whose `!` lines can show again what they hide. */
export interface EarlierRules {
  /** State for names in the root. */
  readonly root: EarlierState;
  /** Whether a name is hidden; `by` is the rule that says so, or that took it out again. */
  decide(path: BytePath, directory: boolean, parent: EarlierState): { hidden: boolean; by?: RuleLine };
  /** State for the names in this directory. */
  enter(directory: BytePath, parent: EarlierState): EarlierState;
}
