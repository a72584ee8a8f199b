import type { BuildRecord, RecordedStep } from './build-record.ts';

/** Below this two steps are not the same one changed, but two. */
const LEAST_LIKENESS = 0.25;

/** Which step of an earlier build each step was, by the earlier one's record. */
export type StepMatch = Map<RecordedStep, RecordedStep>;

/**
 * Finds the steps of one build in another of the same thing: stage by stage (by name, else by place), and in a stage
 * in order, so that the likeness of all pairs together is greatest. An inserted line moves the others without
 * confusing them.
 */
export function matchSteps(now: BuildRecord, before: BuildRecord): StepMatch {
  const match: StepMatch = new Map();
  const free = new Set(before.stages.keys());
  const take = (find: (index: number) => boolean): number | undefined => {
    const found = [...free].find(find);
    if (found !== undefined) free.delete(found);
    return found;
  };
  const pairs = new Map<number, number>();
  const pass = (find: (stage: number, other: number) => boolean): void => {
    for (const stage of now.stages.keys()) {
      if (pairs.has(stage)) continue;
      const other = take((index) => find(stage, index));
      if (other !== undefined) pairs.set(stage, other);
    }
  };
  pass((a, b) => now.stages[a]!.name !== undefined && now.stages[a]!.name === before.stages[b]!.name);
  pass((a, b) => now.stages[a]!.index === before.stages[b]!.index);
  for (const [stage, other] of pairs) {
    alignSteps(stepsOf(now, stage), stepsOf(before, other), match);
    matchMoved(stepsOf(now, stage), stepsOf(before, other), match);
  }
  return match;
}

function stepsOf(record: BuildRecord, stage: number): RecordedStep[] {
  return record.steps.filter((step) => step.stage === stage);
}

/** The pairs of two sequences, in order, whose likeness together is greatest (Needleman and Wunsch). */
function alignSteps(now: readonly RecordedStep[], before: readonly RecordedStep[], match: StepMatch): void {
  const width = before.length + 1;
  const best = new Float64Array((now.length + 1) * width);
  const likes = now.map((a) => before.map((b) => likeness(a, b)));
  for (let i = now.length - 1; i >= 0; i--) {
    for (let j = before.length - 1; j >= 0; j--) {
      const pair = likes[i]![j]! < LEAST_LIKENESS ? -1 : likes[i]![j]! + best[(i + 1) * width + j + 1]!;
      best[i * width + j] = Math.max(pair, best[(i + 1) * width + j]!, best[i * width + j + 1]!);
    }
  }
  for (let i = 0, j = 0; i < now.length && j < before.length; ) {
    const pair = likes[i]![j]! < LEAST_LIKENESS ? -1 : likes[i]![j]! + best[(i + 1) * width + j + 1]!;
    if (pair === best[i * width + j]) match.set(now[i++]!, before[j++]!);
    else if (best[i * width + j] === best[(i + 1) * width + j]) i++;
    else j++;
  }
}

/** Lines that stand elsewhere now are still the same. */
function matchMoved(now: readonly RecordedStep[], before: readonly RecordedStep[], match: StepMatch): void {
  const taken = new Set(match.values());
  for (const step of now) {
    if (match.has(step)) continue;
    const moved = before.find((old) => !taken.has(old) && old.kind === step.kind && old.title === step.title);
    if (moved === undefined) continue;
    match.set(step, moved);
    taken.add(moved);
  }
}

/** From 0, nothing in common, to 1; the same counts double, so that two that are alike do not outweigh one that is. */
function likeness(a: RecordedStep, b: RecordedStep): number {
  if (a.kind !== b.kind) return 0;
  if (a.definition !== undefined && a.definition === b.definition) return 2;
  if (a.title === b.title) return 1.9;
  if (a.kind === 'image') return 0.9;
  const [first, ...rest] = words(a.title);
  const [otherFirst, ...others] = words(b.title);
  // ADD and COPY may stand for one another; what is of the same kind is worth a little by itself.
  const base = first === otherFirst ? 0.3 : 0.2;
  return base + 0.6 * shared(rest, others);
}

function words(title: string): string[] {
  return title.split(/[\s/="',]+/);
}

/** Part of the words that both have. */
function shared(a: readonly string[], b: readonly string[]): number {
  if (a.length + b.length === 0) return 1;
  const left = new Map<string, number>();
  for (const word of a) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of b) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  return (2 * common) / (a.length + b.length);
}
