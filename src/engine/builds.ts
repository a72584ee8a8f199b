import type { KeyParts } from '../cache/keys.ts';
import { readableParts } from '../cache/readable-parts.ts';
import type { BuildRecord } from '../record/build-record.ts';
import { type Comparison, compareBuilds } from '../record/compare.ts';
import { type ExplainOptions, explainBuild } from '../record/explain.ts';
import type { Explanation } from '../record/explanation.ts';
import { BuildHistory } from '../record/history.ts';
import { storeRoot } from '../store/default-root.ts';
import { getStep } from '../store/steps.ts';
import { openStore, type Store } from '../store/store.ts';
import { isParts, nearestResult } from './nearest-result.ts';

export interface ExplainRequest {
  /** The store's directory; default as `storeRoot`. */
  root?: string | undefined;
  /** The beginning of a build's id, `^1` for the one before the last; undefined is the last. */
  build?: string | undefined;
  /** Another build to compare with, instead of those before it. */
  with?: string | undefined;
}

/**
 * Says why each step of a recorded build ran, and of cached ones which build made them. Throws `not-found` for a
 * build that is not kept.
 */
export function explain(request: ExplainRequest = {}): Explanation {
  return withHistory(storeRoot(request.root, process.env), (options) => {
    const build = options.history.find(request.build);
    const other = request.with === undefined ? undefined : options.history.find(request.with);
    return explainBuild(build, { ...options, ...(other === undefined ? {} : { with: other }) });
  });
}

/** The records of a store's builds, the newest first. */
export function builds(root?: string): BuildRecord[] {
  return new BuildHistory(storeRoot(root, process.env)).all();
}

/** Compares two recorded builds, named as for `explain`. */
export function compare(root: string, before: string, after: string): Comparison {
  return withHistory(root, (options) =>
    compareBuilds(options.history.find(before), options.history.find(after), options),
  );
}

function withHistory<Result>(root: string, body: (options: ExplainOptions) => Result): Result {
  using store = openStore(root, { create: false });
  const history = new BuildHistory(root);
  return body({
    history,
    recorded: {
      byKey: (key) => partsOf(store, key),
      nearest: (parts, exceptBuild) => nearestResult(store, parts, exceptBuild),
    },
  });
}

function partsOf(store: Store, key: string): KeyParts | undefined {
  const parts = getStep(store, key)?.parts;
  return isParts(parts) ? readableParts(parts) : undefined;
}
