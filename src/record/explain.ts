import type { Cause, StepCause } from '../cache/explain/cause.ts';
import { fileCauses } from '../cache/explain/file-causes.ts';
import { type PartContext, partCauses } from '../cache/explain/part-causes.ts';
import type { KeyParts } from '../cache/keys.ts';
import { type BuildRecord, type RecordedStep, stepName } from './build-record.ts';
import { type Counterpart, type Earlier, EarlierBuilds } from './earlier-builds.ts';
import type { Explanation, StepExplanation } from './explanation.ts';
import type { BuildHistory, StepRun } from './history.ts';

/** Looks up recorded results that no kept build speaks of: those of removed builds and of other machines. */
export interface RecordedParts {
  /** Parts of the result with this key. */
  byKey(key: string): KeyParts | undefined;
  /** The result of another build whose parts are most like these, if one is like them at all. */
  nearest(parts: KeyParts, exceptBuild: string): RecordedResult | undefined;
}

/** A result in the index. */
export interface RecordedResult {
  key: string;
  build: string;
  parentChain: string;
  parts: KeyParts;
}

export interface ExplainOptions {
  history: BuildHistory;
  recorded: RecordedParts;
  /** Compare with this build instead of with what came before. */
  with?: BuildRecord;
}

/**
 * Says for each step of a build why it ran: what it could observe that was not as in the last build of the same
 * thing that came as far as this step. Everything is taken from records, so that it can be asked at any later time.
 */
export function explainBuild(build: BuildRecord, options: ExplainOptions): Explanation {
  const explainer = new Explainer(build, options);
  const steps = build.steps
    .filter(({ kind }) => kind !== 'scratch')
    .map((step): StepExplanation => explainer.explain(step));
  return { build: build.id, started: build.started, comparedWith: explainer.compared(), steps };
}

class Explainer {
  readonly #build: BuildRecord;
  readonly #options: ExplainOptions;
  readonly #earlier: EarlierBuilds;
  readonly #steps: Map<string, RecordedStep>;
  readonly #differences = new Map<RecordedStep, Cause[]>();
  readonly #compared = new Set<string>();

  constructor(build: BuildRecord, options: ExplainOptions) {
    this.#build = build;
    this.#options = options;
    this.#earlier = new EarlierBuilds(build, options.history, options.with);
    this.#steps = new Map(build.steps.map((step) => [step.id, step]));
  }

  compared(): string[] {
    return [...this.#compared];
  }

  explain(step: RecordedStep): StepExplanation {
    const explanation: StepExplanation = {
      step: stepName(step),
      ...(step.line === undefined ? {} : { line: step.line }),
      outcome: outcomeOf(step),
      causes: [],
    };
    if (step.outcome === 'cached') return { ...explanation, ...this.#origin(step) };
    // A step without parts failed before its inputs were known: its error says why.
    if (explanation.outcome === 'not-reached' || step.kind === 'image' || step.parts === undefined)
      return explanation;
    const found = this.#earlier.of(step);
    if (found) {
      this.#compared.add(found.build.id);
      explanation.comparedWith = { build: found.build.id, step: stepName(found.step) };
    }
    return { ...explanation, causes: this.#causes(step, found) };
  }

  /**
   * Of a step that no kept build has, what differs from the result that is most like it: on a fresh machine with an
   * imported cache that is the one of the build elsewhere.
   */
  #nearest(step: RecordedStep): Cause[] {
    const { history, recorded } = this.#options;
    const found = recorded.nearest(step.parts!, this.#build.id);
    if (found === undefined) return [{ kind: 'new' }];
    const origin = history.get(found.build);
    const old = origin?.steps.find(({ key, from }) => key === found.key && from === undefined);
    const before = old && { build: origin!, step: old };
    const causes = partCauses(found.parts, step.parts!, {
      ...this.#context(before ?? { build: this.#build, step }, step),
      files: ({ mount, ignore, ...selection }) =>
        fileCauses(
          listing(history, before, selection.before),
          listing(history, history.runOf(this.#build, step), selection.after),
          { ...this.#place(step), ...(mount === undefined ? {} : { mount }) },
          ignore,
        ),
    });
    const parent = step.parent === undefined ? undefined : this.#steps.get(step.parent);
    if (parent !== undefined && step.parentChain !== found.parentChain) causes.push(...this.#roots(parent));
    return causes.length === 0 ? [{ kind: 'new' }] : unique(causes);
  }

  #origin(step: RecordedStep): Pick<StepExplanation, 'from' | 'sameAs'> {
    if (step.same !== undefined) return { sameAs: stepName(this.#steps.get(step.same)!) };
    if (step.from === undefined) return {};
    const origin = this.#options.history.get(step.from);
    return { from: { build: step.from, ...(origin ? { started: origin.started } : {}) } };
  }

  #causes(step: RecordedStep, found: Counterpart | undefined): Cause[] {
    const causes: Cause[] = step.noCache === undefined ? [] : [{ kind: 'no-cache', by: step.noCache }];
    if (found === undefined) return [...causes, ...this.#nearest(step)];
    causes.push(...this.#difference(step));
    if (causes.length > 0) return causes;
    const { build, step: before } = found;
    const ended = before.outcome === 'done' || before.outcome === 'cached';
    if (ended && before.key !== undefined) return [{ kind: 'pruned', build: before.from || build.id }];
    return [{ kind: 'unfinished', build: build.id, outcome: before.outcome ?? 'interrupted' }];
  }

  /** What of a step's key is not as before, whether it ran or not. Steps are asked after those they stand on. */
  #difference(step: RecordedStep): Cause[] {
    const known = this.#differences.get(step);
    if (known) return known;
    // A step never depends on itself; this only ends what a damaged record would make a loop.
    this.#differences.set(step, []);
    const found = this.#earlier.of(step);
    const causes = found === undefined ? [] : this.#compare(step, found);
    this.#differences.set(step, causes);
    return causes;
  }

  #compare(step: RecordedStep, { build, step: before, match }: Counterpart): Cause[] {
    if (step.kind === 'image') {
      const [a, b] = [before.image, step.image];
      if (a === undefined || b === undefined || a.imageId === b.imageId) return [];
      const named = ({ reference, imageId }: typeof a) => ({ reference, digest: imageId });
      return [{ kind: 'base', before: named(a), after: named(b) }];
    }
    const causes: Cause[] = [];
    const old = this.#parts(build, before);
    const now = this.#parts(this.#build, step);
    if (old && now && before.definition !== step.definition) {
      causes.push(...partCauses(old, now, this.#context({ build, step: before }, step)));
      if (causes.some(({ kind }) => kind === 'file' || kind === 'files-unknown'))
        causes.push(...this.#readFrom(step, match));
    }
    if (step.parentChain === undefined || step.parentChain !== before.parentChain)
      causes.push(...this.#above(step, { build, step: before, match }));
    return unique(causes);
  }

  /** Why the stages and images that a step reads from gave something else. */
  #readFrom(step: RecordedStep, match: Counterpart['match']): Cause[] {
    return step.reads.flatMap((id) => {
      const now = this.#steps.get(id)!;
      const old = match.get(now);
      return old !== undefined && sameResult(now, old) ? [] : this.#roots(now);
    });
  }

  /** Why a step stands on something else than before: from its parent down to the first that is as it was. */
  #above(step: RecordedStep, earlier: Counterpart): Cause[] {
    const causes: Cause[] = [];
    const oldSteps = new Map(earlier.build.steps.map((one) => [one.id, one]));
    const matched = new Set(earlier.match.values());
    let now = step.parent === undefined ? undefined : this.#steps.get(step.parent);
    let old = earlier.step.parent === undefined ? undefined : oldSteps.get(earlier.step.parent);
    while (now !== undefined && old !== undefined) {
      if (earlier.match.get(now) === old) {
        if (!sameResult(now, old)) causes.push(...this.#roots(now));
        return causes;
      }
      const isNew = !earlier.match.has(now);
      const isGone = !matched.has(old);
      // Below an image there is nothing; another image in its place is another base.
      if (now.kind === 'image' && old.kind === 'image') return causes;
      if (!isNew && !isGone) return [...causes, { kind: 'order' }];
      if (isNew) causes.push({ kind: 'step-added', step: stepName(now) });
      if (isGone) causes.push({ kind: 'step-removed', step: stepName(old) });
      if (isNew) now = now.parent === undefined ? undefined : this.#steps.get(now.parent);
      if (isGone) old = old.parent === undefined ? undefined : oldSteps.get(old.parent);
    }
    return causes;
  }

  /** The causes for which another step has another result, as its dependents see them. */
  #roots(step: RecordedStep): Cause[] {
    const own = this.#difference(step);
    const passedOn = own.filter(({ kind }) => isFromElsewhere(kind));
    // It stands on something else, and is itself what it was.
    if (own.length > 0 && passedOn.length === own.length) return passedOn;
    return [{ kind: 'upstream', step: stepName(step) } satisfies StepCause];
  }

  #parts(build: BuildRecord, step: RecordedStep): KeyParts | undefined {
    const { history, recorded } = this.#options;
    return (
      step.parts ??
      history.runOf(build, step)?.step.parts ??
      (step.key === undefined ? undefined : recorded.byKey(step.key))
    );
  }

  #context(earlier: Earlier, step: RecordedStep): PartContext {
    const { history } = this.#options;
    const before = history.runOf(earlier.build, earlier.step);
    const after = history.runOf(this.#build, step);
    return {
      argNames: { before: earlier.step.argNames ?? [], after: step.argNames ?? [] },
      shellForm: { before: isShellForm(earlier.step), after: isShellForm(step) },
      files: ({ mount, ignore, ...selection }) =>
        fileCauses(
          listing(history, before, selection.before),
          listing(history, after, selection.after),
          { ...this.#place(step), ...(mount === undefined ? {} : { mount }) },
          ignore,
        ),
    };
  }

  /** Where a step's files come from, where that is another stage or image. */
  #place(step: RecordedStep): { from?: string } {
    const [read, another] = step.reads.map((id) => this.#steps.get(id)!);
    // With several it is not known which of them a mount shows; its target says enough.
    if (read === undefined || another !== undefined) return {};
    if (read.image !== undefined && read.label === '') return { from: read.image.reference };
    const stage = this.#build.stages.find(({ result }) => result === read.id);
    return stage === undefined ? {} : { from: stage.displayName };
  }
}

function listing(history: BuildHistory, run: StepRun | undefined, selection: string | undefined) {
  return run === undefined || selection === undefined ? undefined : history.listing(run, selection);
}

function outcomeOf({ outcome, kind }: RecordedStep): StepExplanation['outcome'] {
  if (outcome === undefined) return 'not-reached';
  return outcome === 'done' && kind !== 'image' ? 'ran' : outcome === 'done' ? 'cached' : outcome;
}

/** Causes that lie in what a step stands on or reads, and not in itself. */
function isFromElsewhere(kind: Cause['kind']): boolean {
  return (
    kind === 'base' ||
    kind === 'upstream' ||
    kind === 'step-added' ||
    kind === 'step-removed' ||
    kind === 'order'
  );
}

function sameResult(a: RecordedStep, b: RecordedStep): boolean {
  if (a.kind === 'image') return a.image?.imageId === b.image?.imageId;
  if (a.kind === 'scratch') return true;
  return a.diffId !== undefined && a.diffId === b.diffId && a.parentChain === b.parentChain;
}

/** JSON form is an array of strings and nothing else; its title is written as in the file. */
function isShellForm({ title }: RecordedStep): boolean {
  const text = title.replace(/^(?:ONBUILD )?RUN\s+(?:--\S+\s+)*/, '');
  if (!text.startsWith('[')) return true;
  try {
    return !(JSON.parse(text) as unknown[]).every((word) => typeof word === 'string');
  } catch {
    return true;
  }
}

function unique(causes: Cause[]): Cause[] {
  const seen = new Set<string>();
  return causes.filter((cause) => {
    const text = JSON.stringify(cause);
    return !seen.has(text) && seen.add(text);
  });
}
