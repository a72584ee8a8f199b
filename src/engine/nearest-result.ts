import type { KeyParts } from '../cache/keys.ts';
import { readableParts } from '../cache/readable-parts.ts';
import type { RecordedResult } from '../record/explain.ts';
import { recentSteps, type StepRecord } from '../store/steps.ts';
import type { Store } from '../store/store.ts';

/** Results that are looked at, those used last. */
const MAX_RESULTS = 500;

/** Part of its parts that a result must share. */
const LEAST_LIKENESS = 0.6;

/**
 * The recorded result whose parts are most like `parts`, of any build but `exceptBuild`. The same instruction and what
 * it is about, the command or the destination, count most: without one of them nothing is alike.
 */
export function nearestResult(
  store: Store,
  parts: KeyParts,
  exceptBuild: string,
): RecordedResult | undefined {
  let best: { record: StepRecord; parts: KeyParts; likeness: number } | undefined;
  for (const record of recentSteps(store, MAX_RESULTS)) {
    if (record.buildId === exceptBuild || !isParts(record.parts)) continue;
    const readable = readableParts(record.parts);
    const likeness = likenessOf(readable, parts);
    if (likeness >= LEAST_LIKENESS && likeness > (best?.likeness ?? 0))
      best = { record, parts: readable, likeness };
  }
  if (best === undefined) return undefined;
  const { key, buildId, parentChain } = best.record;
  return { key, build: buildId, parentChain, parts: best.parts };
}

/** What came from elsewhere may hold anything. */
export function isParts(parts: unknown): parts is KeyParts {
  return (
    typeof parts === 'object' &&
    parts !== null &&
    Object.values(parts).every((value) => typeof value === 'string')
  );
}

function likenessOf(a: KeyParts, b: KeyParts): number {
  if (a.instruction !== b.instruction) return 0;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  const equal = [...names].filter((name) => a[name] === b[name]).length;
  const about = (['args', 'destination', 'path'] as const).some(
    (name) => a[name] !== undefined && a[name] === b[name],
  );
  return about ? equal / names.size : 0;
}
