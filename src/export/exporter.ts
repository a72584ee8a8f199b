import type { Aborted } from './types.ts';

/**
 * Writes what a build or the store has into one form that others take; the seam behind which archives, layouts and
 * plain file systems stand. Runs in the worker, in a thread: it may be one long synchronous loop, and looks at
 * `aborted` every few milliseconds, throwing `canceled`. What it did not finish has no name when it throws. `tell`
 * hears of what is there before the end.
 */
export type Exporter<Task, Tell = never> = (
  task: Task,
  aborted: Aborted,
  tell: Tell,
) => Promise<unknown> | unknown;
