import type { BuildRecord, BuildSubject, RecordedStep } from './build-record.ts';
import type { BuildHistory } from './history.ts';
import { matchSteps, type StepMatch } from './match-steps.ts';

/** A step of an earlier build. */
export interface Earlier {
  build: BuildRecord;
  step: RecordedStep;
}

/** What a step was in an earlier build, and how the rest of the two builds corresponds. */
export interface Counterpart extends Earlier {
  match: StepMatch;
}

/** Builds that are looked through for one that came as far as a step. */
const MAX_BUILDS = 20;

/** Finds what the steps of a build were before. */
export class EarlierBuilds {
  readonly #build: BuildRecord;
  readonly #candidates: BuildRecord[];
  readonly #matches = new Map<BuildRecord, StepMatch>();

  /** With `fixed` nothing but that build is looked at. */
  constructor(build: BuildRecord, history: BuildHistory, fixed?: BuildRecord) {
    this.#build = build;
    this.#candidates = fixed === undefined ? candidates(build, history) : [fixed];
  }

  /** The same step in the last build that came as far as it. */
  of(step: RecordedStep): Counterpart | undefined {
    for (const build of this.#candidates) {
      const match = this.#match(build);
      const before = match.get(step);
      if (before === undefined) continue;
      const reached = before.kind === 'image' || before.definition !== undefined;
      if (reached) return { build, step: before, match };
    }
    return undefined;
  }

  #match(build: BuildRecord): StepMatch {
    let match = this.#matches.get(build);
    if (match === undefined) {
      match = matchSteps(this.#build, build);
      this.#matches.set(build, match);
    }
    return match;
  }
}

/** Earlier builds, those of the same thing first, each kind from the newest. */
function candidates(build: BuildRecord, history: BuildHistory): BuildRecord[] {
  const earlier = history
    .all()
    .filter((other) => other.id !== build.id && other.started <= build.started && other.steps.length > 0);
  const nearness = (other: BuildRecord): number => {
    const same = (...names: (keyof BuildSubject)[]): boolean =>
      names.every((name) => build.subject[name] === other.subject[name]);
    if (same('file', 'context', 'target', 'platform')) return 4;
    if (same('file', 'context')) return 3;
    if (build.tags.some((tag) => other.tags.includes(tag))) return 2;
    return overlaps(build, other) ? 1 : 0;
  };
  return earlier
    .map((other) => ({ other, near: nearness(other) }))
    .filter(({ near }) => near > 0)
    .sort((a, b) => b.near - a.near || b.other.started - a.other.started)
    .slice(0, MAX_BUILDS)
    .map(({ other }) => other);
}

/** True when half of the lines are the same: another checkout of the same project. */
function overlaps(a: BuildRecord, b: BuildRecord): boolean {
  const titles = new Set(b.steps.map(({ title }) => title));
  const own = a.steps.filter(({ kind }) => kind !== 'scratch' && kind !== 'image');
  return own.length > 0 && own.filter(({ title }) => titles.has(title)).length * 2 >= own.length;
}
