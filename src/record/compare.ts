import type { Cause } from '../cache/explain/cause.ts';
import { type BuildRecord, type RecordedStep, stepName } from './build-record.ts';
import { type ExplainOptions, explainBuild } from './explain.ts';
import { matchSteps } from './match-steps.ts';
import { endOf } from './spans.ts';

/** How two builds differ. Plain data: what `builds compare --format=json` prints. */
export interface Comparison {
  before: ComparedBuild;
  after: ComparedBuild;
  /** In the order of the later build, with what only the earlier one has at the end. */
  steps: ComparedStep[];
}

export interface ComparedBuild {
  build: string;
  state: BuildRecord['state'];
  ms: number;
  /** Sum of the sizes of the layers that its steps made or reused, in bytes. */
  size: number;
  ran: number;
  cached: number;
}

export interface ComparedStep {
  step: string;
  before?: StepSide;
  after?: StepSide;
  /** What the later one can observe that the earlier one could not. */
  causes: Cause[];
}

export interface StepSide {
  outcome: NonNullable<RecordedStep['outcome']> | 'not-reached';
  /** Of a step that ran. */
  ms?: number;
  size?: number;
}

/** Compares two builds step by step. */
export function compareBuilds(
  before: BuildRecord,
  after: BuildRecord,
  options: Omit<ExplainOptions, 'with'>,
): Comparison {
  const match = matchSteps(after, before);
  const explanation = explainBuild(after, { ...options, with: before });
  const shown = after.steps.filter(isShown);
  const matched = new Set(match.values());
  const steps = shown.map((step, index): ComparedStep => {
    const old = match.get(step);
    return {
      step: stepName(step),
      ...(old === undefined ? {} : { before: sideOf(old) }),
      after: sideOf(step),
      causes: explanation.steps[index]!.causes.filter(({ kind }) => kind !== 'new'),
    };
  });
  const gone = before.steps
    .filter((step) => isShown(step) && !matched.has(step))
    .map((step): ComparedStep => ({ step: stepName(step), before: sideOf(step), causes: [] }));
  return { before: summary(before), after: summary(after), steps: [...steps, ...gone] };
}

function isShown({ kind }: RecordedStep): boolean {
  return kind !== 'scratch';
}

function sideOf({ outcome, started, ended, size }: RecordedStep): StepSide {
  return {
    outcome: outcome ?? 'not-reached',
    ...(started === undefined || ended === undefined ? {} : { ms: ended - started }),
    ...(size === undefined ? {} : { size }),
  };
}

/** Figures of a whole build. */
export function summary(record: BuildRecord): ComparedBuild {
  const steps = record.steps.filter(({ kind }) => kind !== 'scratch' && kind !== 'image');
  return {
    build: record.id,
    state: record.state,
    ms: endOf(record) - record.started,
    size: steps.reduce((sum, { size }) => sum + (size ?? 0), 0),
    ran: steps.filter(({ outcome }) => outcome === 'done').length,
    cached: steps.filter(({ outcome }) => outcome === 'cached').length,
  };
}
