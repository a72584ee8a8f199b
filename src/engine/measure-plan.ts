import type { Measures, StepMeasure } from '../plan/draw/graph.ts';
import type { NodeId, Plan } from '../plan/types.ts';
import { type BuildRecord, type BuildSubject, RECORD_FORMAT } from '../record/build-record.ts';
import { BuildHistory } from '../record/history.ts';
import { matchSteps } from '../record/match-steps.ts';
import { recordedNodes, recordedStages } from '../record/recorded-plan.ts';

/**
 * What the last build of the same Dockerfile says of a plan's steps: how each came out, and how long its command took
 * when it last ran. Undefined where there was no such build.
 */
export function measurePlan(
  root: string,
  plan: Plan,
  subject: BuildSubject,
): { build: string; measures: Measures } | undefined {
  const history = new BuildHistory(root);
  const before = lastBuild(history, subject);
  if (before === undefined) return undefined;
  const now: BuildRecord = {
    format: RECORD_FORMAT,
    id: '',
    started: 0,
    state: 'done',
    subject,
    tags: [],
    stages: recordedStages(plan),
    target: plan.target,
    steps: recordedNodes(plan),
    tasks: [],
  };
  const measures = new Map<NodeId, StepMeasure>();
  for (const [step, old] of matchSteps(now, before)) {
    if (step.kind === 'scratch') continue;
    const run = history.runOf(before, old)?.step;
    const ms = run?.started === undefined || run.ended === undefined ? undefined : run.ended - run.started;
    measures.set(step.id, {
      ...(old.outcome === undefined ? {} : { outcome: old.outcome }),
      ...(ms === undefined ? {} : { ms }),
    });
  }
  return { build: before.id, measures };
}

function lastBuild(history: BuildHistory, subject: BuildSubject): BuildRecord | undefined {
  const builds = history.all().filter(({ steps }) => steps.length > 0);
  const same = builds.filter((build) => build.subject.file === subject.file);
  return (
    same.find(
      ({ subject: { context, target } }) => context === subject.context && target === subject.target,
    ) ?? same.find(({ subject: { context } }) => context === subject.context)
  );
}
