import { type BuildRecord, type RecordedStep, stepName } from './build-record.ts';

/** Something of a build that took time. Times are milliseconds since 1970. */
export interface Span {
  /** Names it in its build: `n3`, `n3 digest`, `exporting to image`. */
  id: string;
  /** A step that ran, the hashing of its layer behind it, or other work of the builder. */
  kind: 'step' | 'digest' | 'task';
  name: string;
  started: number;
  ended: number;
  step?: RecordedStep;
}

/** All that took time in a build, in the order of the plan. What was cached took none, and what never ended is left out. */
export function spansOf(record: BuildRecord): Span[] {
  const steps = record.steps.flatMap((step): Span[] => {
    const { id, started, ended, digested } = step;
    if (started === undefined || ended === undefined) return [];
    const name = stepName(step);
    const spans: Span[] = [{ id, kind: 'step', name, started, ended, step }];
    if (digested !== undefined)
      spans.push({
        id: `${id} digest`,
        kind: 'digest',
        name: `digest of ${name}`,
        started: ended,
        ended: digested,
        step,
      });
    return spans;
  });
  const tasks = record.tasks.flatMap(({ name, started, ended }): Span[] =>
    ended === undefined ? [] : [{ id: name, kind: 'task', name, started, ended }],
  );
  return [...steps, ...tasks];
}

/** When a build ended, or the last thing that is known of it. */
export function endOf(record: BuildRecord): number {
  return record.ended ?? Math.max(record.started, ...spansOf(record).map(({ ended }) => ended));
}
