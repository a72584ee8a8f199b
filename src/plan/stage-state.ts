import type { CheckReport } from '../dockerfile/checks-report.ts';
import { type Expansion, expandHeredoc, expandWord } from '../dockerfile/expand.ts';
import { type EnvList, isDeclared, type StageScope } from '../dockerfile/scope.ts';
import { suggest } from '../dockerfile/suggest.ts';
import { SlipwayError, type SourceRange } from '../errors/index.ts';
import { formatPlatform, samePlatform } from '../image/platform.ts';
import type { ContainerConfig, Platform } from '../image/types.ts';
import { locating } from './fail.ts';
import type { Command, LinkedStage, Source } from './link.ts';
import type { PlanOptions } from './options.ts';
import { platformLabel } from './platform-label.ts';
import type { Resolution } from './resolve.ts';
import type {
  NoCacheReason,
  NodeId,
  Operation,
  PlanNode,
  PlannedBase,
  PlannedContext,
  PlannedHistory,
  PlannedLine,
} from './types.ts';

/** `comment` of every history entry that a build makes. */
const HISTORY_COMMENT = 'buildkit.dockerfile.v0';

/** All expanded text of a plan together, in UTF-16 units: lines that repeat a large variable add up. */
const MAX_TEXT = 128 * 1024 * 1024;

/** The plan while it is made. */
export interface Builder {
  options: PlanOptions;
  /** The Dockerfile's escape character. */
  escape: '\\' | '`';
  globals: EnvList;
  resolution: Resolution;
  report: CheckReport;
  nodes: PlanNode[];
  bases: Map<string, PlannedBase>;
  contexts: Map<string, PlannedContext>;
  states: Map<LinkedStage, StageState>;
  /** Nodes of images that are only copied or mounted from, by reference and platform. */
  imageNodes: Map<string, NodeId>;
  /** Every ARG that was declared anywhere. */
  declaredArgs: Set<string>;
  /** Only one stage, and nothing from outside: labels leave its name out. */
  singleStage: boolean;
  /** UTF-16 units of expanded text so far. */
  textLength: number;
}

/** A stage while its instructions are applied. */
export interface StageState {
  stage: LinkedStage;
  /** Index into the plan's stages. */
  planIndex: number;
  platform: Platform;
  scope: StageScope;
  config: ContainerConfig;
  author: string | undefined;
  history: PlannedHistory[];
  result: NodeId;
  /** Steps shown so far. */
  stepIndex: number;
  workdirGiven: boolean;
  /** Where the last CMD, ENTRYPOINT and HEALTHCHECK of this stage stand. */
  given: Map<'CMD' | 'ENTRYPOINT' | 'HEALTHCHECK', SourceRange>;
  noCache: boolean;
  /** Kept where every line is asked for. */
  lines?: PlannedLine[];
}

/** Looks up variables as they are now: later changes of the stage are not seen. */
export function snapshot(state: StageState): EnvList {
  return state.scope.env.clone();
}

/** Expands a word of an instruction; unknown variables are reported. */
export function expand(builder: Builder, state: StageState, use: WordUse): string {
  const lookup = (name: string) => use.env.get(name);
  return locating(builder.options, { range: placeOf(use) }, () =>
    finish(builder, state, { ...use, expansion: expandWord(use.raw, lookup, builder) }),
  );
}

/** A word that is to be expanded. */
export interface WordUse {
  raw: string;
  /** Where it stands; absent for the whole instruction. */
  range?: SourceRange;
  command: Command;
  env: EnvList;
}

/** Where a fault in a word is shown. What a trigger brings has no place in this file but its FROM. */
export function placeOf({ command, range }: { command: Command; range?: SourceRange }): SourceRange {
  return command.isTrigger ? command.range : (range ?? command.range);
}

/** Expands the body of a here-document. */
export function expandBody(
  builder: Builder,
  state: StageState,
  use: { raw: string; command: Command; env: EnvList },
): string {
  return finish(builder, state, { ...use, expansion: expandHeredoc(use.raw, (name) => use.env.get(name)) });
}

function finish(
  builder: Builder,
  state: StageState,
  use: { expansion: Expansion; command: Command; env: EnvList },
): string {
  reportUndefined(builder, state, { names: use.expansion.undefinedNames, ...use });
  countText(builder, use.expansion.value.length);
  return use.expansion.value;
}

/** UndefinedVar for names that neither ENV nor ARG knows. */
export function reportUndefined(
  builder: Builder,
  state: StageState,
  use: { names: readonly string[]; command: Command; env: EnvList },
): void {
  for (const name of use.names) {
    if (isDeclared(state.scope, name)) continue;
    const place = { range: use.command.range, comments: use.command.instruction.comments };
    builder.report.add('UndefinedVar', place, name, suggest(name, use.env.keys()));
  }
}

/** Adds to the text of the plan. */
export function countText(builder: Builder, length: number): void {
  builder.textLength += length;
  if (builder.textLength <= MAX_TEXT) return;
  throw new SlipwayError('exhausted', `the expanded Dockerfile is larger than ${MAX_TEXT} characters`, {
    code: 'PLAN_TOO_LARGE',
    hint: 'Look for a variable that grows with every line.',
  });
}

/** Notes a history entry; one with a node has a layer. */
export function commit(state: StageState, text: string, node?: NodeId): void {
  state.history.push({
    created_by: text,
    comment: HISTORY_COMMENT,
    ...(node === undefined ? { empty_layer: true } : { node }),
  });
}

/** Adds a step on top of the stage and makes it the stage's result. */
export function addStep(
  builder: Builder,
  state: StageState,
  step: {
    operation: Operation;
    title: string;
    command: Command;
    dependencies?: NodeId[];
    noCache?: NoCacheReason | undefined;
  },
): NodeId {
  const { command } = step;
  const id = addNode(builder, {
    stage: state.planIndex,
    operation: step.operation,
    title: command.isTrigger ? `ONBUILD ${step.title}` : step.title,
    label: nextLabel(builder, state),
    range: command.range,
    dependencies: [...new Set(step.dependencies ?? [])],
    ...(step.noCache === undefined ? {} : { noCache: true, noCacheBy: step.noCache }),
  });
  state.result = id;
  return id;
}

/** Adds a node with the next free id. */
export function addNode(builder: Builder, node: Omit<PlanNode, 'id'>): NodeId {
  const id = `n${builder.nodes.length}`;
  builder.nodes.push({ id, ...node });
  return id;
}

/** `[build 2/4]`, numbers aligned (SPEC F14). */
export function nextLabel(builder: Builder, state: StageState): string {
  const total = state.stage.stepCount;
  if (total === 0) return '';
  state.stepIndex++;
  const { severalPlatforms } = builder.options;
  const platform = severalPlatforms ? `${platformLabel(state.platform, state.scope.env)} ` : '';
  const name = platform + (builder.singleStage ? '' : `${state.stage.displayName} `);
  return `[${name}${String(state.stepIndex).padStart(String(total).length)}/${total}]`;
}

/**
 * The title of a step: its line with variables put in. What cannot be expanded stays as written.
 */
export function titleOf(
  text: string,
  lookup: (name: string) => string | undefined,
  options: { escape: '\\' | '`'; keepQuotes?: boolean; keepUnset?: boolean },
): string {
  let title = text;
  try {
    title = expandWord(text, lookup, options).value;
  } catch {
    // A RUN line is the shell's language, not the builder's.
  }
  const [word] = title.split(' ', 1);
  return word!.toUpperCase() + title.slice(word!.length);
}

/** The node whose root file system a source is; undefined for a context of files. */
export function sourceNode(
  builder: Builder,
  state: StageState,
  use: { source: Source; range: SourceRange; missing: (stage: LinkedStage) => SlipwayError },
): NodeId | undefined {
  const { source } = use;
  switch (source.kind) {
    case 'stage': {
      const other = builder.states.get(source.stage);
      // Stages are planned in the order of the file: one without a state stands below.
      if (other === undefined || other === state) throw use.missing(source.stage);
      return other.result;
    }
    case 'scratch':
      return outsideNode(builder, state, SCRATCH);
    case 'context':
      noteContext(builder, source);
      if (source.context.kind === 'files') return undefined;
      return source.context.kind === 'scratch'
        ? outsideNode(builder, state, SCRATCH)
        : imageNode(builder, state, source);
    case 'image':
      return imageNode(builder, state, source);
  }
}

const SCRATCH: OutsideNode = { key: 'scratch', operation: { kind: 'scratch' }, title: 'FROM scratch' };

function imageNode(builder: Builder, state: StageState, source: Source): NodeId {
  const { platform } = builder.options;
  const base = builder.resolution.imageOf(source, platform);
  noteBase(builder, base, platform);
  const { reference, imageId, diffIds, remote } = base;
  return outsideNode(builder, state, {
    key: reference,
    operation: { kind: 'image', reference, imageId, diffIds, ...(remote && { remote: true }) },
    title: `FROM ${reference}`,
  });
}

interface OutsideNode {
  key: string;
  operation: Operation;
  title: string;
}

function outsideNode(builder: Builder, state: StageState, node: OutsideNode): NodeId {
  const known = builder.imageNodes.get(node.key);
  if (known !== undefined) return known;
  const id = addNode(builder, {
    stage: state.planIndex,
    operation: node.operation,
    title: node.title,
    label: '',
    dependencies: [],
  });
  builder.imageNodes.set(node.key, id);
  return id;
}

/** Notes that the plan stands on an image. */
export function noteBase(builder: Builder, base: PlannedBase, platform: Platform): void {
  const { reference, imageId, context, remote } = base;
  const name = context === undefined ? reference : `context ${context}`;
  const isUsual = samePlatform(platform, builder.options.platform);
  builder.bases.set(`${name} ${formatPlatform(platform)}`, {
    reference,
    imageId,
    ...(context === undefined ? {} : { context }),
    ...(isUsual ? {} : { platform }),
    ...(remote === undefined ? {} : { remote }),
  });
}

/** Notes that the plan reads a named context. */
export function noteContext(builder: Builder, source: Extract<Source, { kind: 'context' }>): void {
  const { name, context } = source;
  const { kind } = context;
  const description =
    kind === 'image' ? context.reference : kind === 'scratch' ? 'scratch' : context.description;
  builder.contexts.set(name, { name, kind, description });
}
