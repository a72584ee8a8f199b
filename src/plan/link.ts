import type { CopyInstruction, EscapeCharacter, Instruction, RunInstruction } from '../../grammar/ast.ts';
import { expandWord } from '../dockerfile/expand.ts';
import { goQuote } from '../dockerfile/go-text.ts';
import { checkMount } from '../dockerfile/mounts.ts';
import { didYouMean, suggest } from '../dockerfile/suggest.ts';
import { flagValue, flagValues } from '../dockerfile/validate.ts';
import { SlipwayError, type SourceRange } from '../errors/index.ts';
import { aboutFlag } from '../errors/subject.ts';
import { formatPlatform } from '../image/platform.ts';
import { familiarReference, isReference, parseReference } from '../image/reference.ts';
import { isLocalPlace } from '../image/transport.ts';
import type { Platform } from '../image/types.ts';
import { errorAt, locating } from './fail.ts';
import type { NamedContext, PlanOptions } from './options.ts';
import { rangeOfSource } from './source-range.ts';
import type { Stage } from './stages.ts';

/** What a FROM, a `--from` or a mount's `from` turned out to name. */
export type Source =
  | { kind: 'stage'; stage: LinkedStage }
  | { kind: 'scratch' }
  | { kind: 'image'; name: string }
  | { kind: 'context'; name: string; context: NamedContext };

/** An instruction of a stage with what it reads from elsewhere. */
export interface Command {
  instruction: Instruction;
  /** It came from an ONBUILD of the base. */
  isTrigger: boolean;
  /** Place for errors and excerpts: of triggers, the FROM line. */
  range: SourceRange;
  /** One for COPY --from; for RUN one per mount. Absent where files come from the build context or nowhere. */
  sources: (Source | undefined)[];
}

/** A stage in the graph. */
export interface LinkedStage extends Stage {
  base: Source;
  /** A named context stands for the whole stage. */
  replacedBy: { name: string; context: NamedContext } | undefined;
  commands: Command[];
  /** Steps that show in progress; triggers count whatever they are. */
  stepCount: number;
}

/** The stages of a file with the names resolved. */
export interface StageGraph {
  stages: LinkedStage[];
  byName: ReadonlyMap<string, LinkedStage>;
  /** What was asked for, in that order; not empty. */
  targets: LinkedStage[];
  /** Some instruction names an image or an empty mount: Docker then shows `stage-0` even for a single stage. */
  readsOutside: boolean;
}

const COUNTED = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR']);

/**
 * Resolves every name of every stage (SPEC 1.7 F2, F3, F9, F12, F16).
 *
 * @throws SlipwayError with Docker's texts.
 */
export function linkStages(
  stages: readonly Stage[],
  escapeCharacter: EscapeCharacter,
  options: PlanOptions,
): StageGraph {
  const linked: LinkedStage[] = [];
  const byName = new Map<string, LinkedStage>();
  for (const stage of stages) {
    const replacement =
      stage.name === undefined ? undefined : findContext(options, stage.name, stage.platform);
    const base = linkBase(stage, byName, options);
    const entry: LinkedStage = {
      ...stage,
      base,
      replacedBy: replacement,
      commands: [],
      stepCount:
        (base.kind === 'image' || base.kind === 'context' ? 1 : 0) +
        stage.instructions.filter(({ keyword }) => COUNTED.has(keyword)).length,
    };
    linked.push(entry);
    // FROM binds to the nearest earlier stage; --from, later, to the last of a name.
    if (stage.name !== undefined) byName.set(stage.name, entry);
  }
  const targets = findTargets(linked, byName, options);
  const linker: Linker = { stages: linked, byName, escape: escapeCharacter, options };
  for (const stage of linked) {
    stage.commands = stage.instructions.map((instruction) => linkCommand(linker, instruction, undefined));
  }
  checkCycles(linked, options);
  const readsOutside = linked.some((stage) =>
    stage.commands.some(
      ({ instruction, sources }) =>
        sources.some((source) => source !== undefined && source.kind !== 'stage') ||
        (instruction.keyword === 'RUN' && sources.some((source) => source === undefined)),
    ),
  );
  return { stages: linked, byName, targets, readsOutside };
}

export interface Linker {
  stages: readonly LinkedStage[];
  byName: ReadonlyMap<string, LinkedStage>;
  escape: EscapeCharacter;
  options: PlanOptions;
}

/** Resolves the names in one instruction. `trigger` is the place of a FROM whose base brought it. */
export function linkCommand(
  linker: Linker,
  instruction: Instruction,
  trigger: SourceRange | undefined,
): Command {
  const range = trigger ?? instruction.range;
  const sources =
    instruction.keyword === 'COPY'
      ? linkCopy(linker, instruction, trigger)
      : instruction.keyword === 'RUN'
        ? linkMounts(linker, instruction, trigger)
        : [];
  return { instruction, isTrigger: trigger !== undefined, range, sources };
}

function linkCopy(linker: Linker, copy: CopyInstruction, trigger: SourceRange | undefined): Source[] {
  const from = flagValue(copy.flags, 'from');
  if (from === undefined || from === '') return [];
  const range = trigger ?? copy.flags.find((flag) => flag.name === 'from')!.range;
  const { options, stages } = linker;
  const plain = locating(options, { range }, () =>
    expandWord(from, () => undefined, { escape: linker.escape }),
  );
  if (plain.value !== from) {
    throw errorAt(options, range, {
      kind: 'invalid',
      message:
        'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      code: 'FROM_NOT_EXPANDED',
      hint: `Before the first FROM: ARG with the name; then FROM ${from} AS source, and COPY --from=source.`,
    });
  }
  if (!/^[+-]?[0-9]+$/.test(from)) return [linkName(linker, from, range)];
  const stage = stages[Number(from)];
  if (stage === undefined) {
    throw errorAt(options, range, {
      kind: 'not-found',
      message: `invalid stage index ${Number(from)}`,
      code: 'STAGE_INDEX_INVALID',
      hint: `Stages are counted from 0; this file has ${stages.length}: ${describeStages(stages)}.`,
    });
  }
  return [{ kind: 'stage', stage }];
}

function linkMounts(
  linker: Linker,
  run: RunInstruction,
  trigger: SourceRange | undefined,
): (Source | undefined)[] {
  return flagValues(run.flags, 'mount').map((flag, index) => {
    const place = { range: trigger ?? flag.range, instruction: run, isTrigger: trigger !== undefined };
    const check = (): string => aboutFlag('mount', index, () => checkMount(flag.value));
    const from = locating(linker.options, place, check);
    return from === '' ? undefined : linkName(linker, from, place.range);
  });
}

/** A name of `--from`: a stage, then a named context, then an image. */
function linkName({ byName, options }: Linker, name: string, range: SourceRange): Source {
  const stage = byName.get(name.toLowerCase());
  if (stage !== undefined) return { kind: 'stage', stage };
  if (name === 'scratch') return { kind: 'scratch' };
  const context = findContext(options, name);
  if (context !== undefined) return { kind: 'context', ...context };
  return linkOutside(name, range, { options, stageNames: byName });
}

function linkBase(stage: Stage, byName: ReadonlyMap<string, LinkedStage>, options: PlanOptions): Source {
  const parent = byName.get(stage.baseName);
  if (parent !== undefined) return { kind: 'stage', stage: parent };
  if (stage.baseName === 'scratch') return { kind: 'scratch' };
  const context = findContext(options, stage.baseName, stage.platform);
  if (context !== undefined) return { kind: 'context', ...context };
  return linkOutside(stage.baseName, stage.from.image.range, { options, stageNames: byName });
}

/** What no stage and no named context is called: a layout or archive, as buildah has it, or an image. */
function linkOutside(name: string, range: SourceRange, names: Parameters<typeof checkImageName>[2]): Source {
  if (isLocalPlace(name)) return { kind: 'context', name, context: { kind: 'result', description: name } };
  const image = /^docker:\/\/./.test(name) ? name.slice('docker://'.length) : name;
  checkImageName(image, range, names);
  return { kind: 'image', name: image };
}

function checkImageName(
  name: string,
  range: SourceRange,
  { options, stageNames }: { options: PlanOptions; stageNames: ReadonlyMap<string, unknown> },
): void {
  if (isReference(name)) return;
  const stage = stageNames.has(name.toLowerCase()) ? name.toLowerCase() : undefined;
  const near = stage ?? suggest(name, stageNames.keys(), { ignoreCase: true });
  const hint =
    near === undefined
      ? undefined
      : `Did you mean the stage ${near}? FROM takes names of stages in lower case.`;
  locating(options, { range, prefix: `failed to parse stage name ${goQuote(name)}: `, hint }, () =>
    parseReference(name),
  );
}

/**
 * A named context goes by the short name of the image that is named, or by the word as it stands; one for exactly this
 * platform goes before one for all (SPEC 1.16).
 */
function findContext(
  options: PlanOptions,
  name: string,
  platform: Platform = options.platform,
): { name: string; context: NamedContext } | undefined {
  if (options.namedContexts.size === 0) return undefined;
  const short = isReference(name) ? familiarReference(parseReference(name)).replace(/:latest$/, '') : name;
  for (const base of [short, name, name.toLowerCase()]) {
    for (const key of [`${base}::${formatPlatform(platform)}`, base]) {
      const context = options.namedContexts.get(key);
      if (context !== undefined) return { name: key, context };
    }
  }
  return undefined;
}

/** Of several names for one stage the first counts. */
function findTargets(
  stages: readonly LinkedStage[],
  byName: ReadonlyMap<string, LinkedStage>,
  options: PlanOptions,
): LinkedStage[] {
  const wanted = options.targets?.length ? options.targets : [options.target];
  return [...new Set(wanted.map((name) => findTarget(name, { stages, byName })))];
}

function findTarget(
  wanted: string | undefined,
  file: {
    stages: readonly LinkedStage[];
    byName: ReadonlyMap<string, LinkedStage>;
  },
): LinkedStage {
  const { stages, byName } = file;
  if (wanted === undefined || wanted === '') return stages.at(-1)!;
  const found = byName.get(wanted.toLowerCase());
  if (found !== undefined) return found;
  const near = suggest(
    wanted,
    stages.map((stage) => stage.displayName),
  );
  // The word that is wrong stands on the command line, not in the file.
  throw new SlipwayError(
    'not-found',
    `target stage ${goQuote(wanted)} could not be found${didYouMean(near)}`,
    {
      code: 'STAGE_NOT_FOUND',
      hint:
        byName.size === 0
          ? 'No stage of this Dockerfile has a name: write FROM … AS name.'
          : `Stages with a name are ${[...byName.keys()].join(', ')}.`,
    },
  );
}

/** Docker looks for cycles of COPY --from and mounts only: FROM cannot make one. */
function checkCycles(stages: readonly LinkedStage[], options: PlanOptions): void {
  const finished = new Set<LinkedStage>();
  // An explicit stack: a file may have tens of thousands of stages.
  const findCycle = (start: LinkedStage): StageEdge | undefined => {
    const open = new Set<LinkedStage>([start]);
    const stack = [{ stage: start, edges: stageEdges(start) }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const edge = top.edges.next();
      if (edge.done === true) {
        open.delete(top.stage);
        finished.add(top.stage);
        stack.pop();
      } else if (open.has(edge.value.stage)) {
        return edge.value;
      } else if (!finished.has(edge.value.stage)) {
        open.add(edge.value.stage);
        stack.push({ stage: edge.value.stage, edges: stageEdges(edge.value.stage) });
      }
    }
    return undefined;
  };
  for (const stage of stages) {
    const edge = finished.has(stage) ? undefined : findCycle(stage);
    if (edge === undefined) continue;
    throw errorAt(options, rangeOfSource(edge.command, edge.index, options), {
      kind: 'invalid',
      message: `circular dependency detected on stage: ${stage.displayName}`,
      code: 'STAGE_CYCLE',
      hint: 'A stage can only use stages that stand above it.',
    });
  }
}

/** A command that reads from a stage, and which of its sources that is. */
interface StageEdge {
  command: Command;
  index: number;
  stage: LinkedStage;
}

function* stageEdges(stage: LinkedStage): Generator<StageEdge, undefined> {
  for (const command of stage.commands) {
    for (const [index, source] of command.sources.entries()) {
      if (source?.kind === 'stage') yield { command, index, stage: source.stage };
    }
  }
}

function describeStages(stages: readonly LinkedStage[]): string {
  return stages.map((stage) => `${stage.index} ${stage.name ?? `(FROM ${stage.baseName})`}`).join(', ');
}
