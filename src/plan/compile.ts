import type { Dockerfile } from '../../grammar/ast.ts';
import { checkFile } from '../dockerfile/checks-file.ts';
import { CheckReport, parseCheckSettings } from '../dockerfile/checks-report.ts';
import { isMultiPlatform } from '../dockerfile/multi-platform.ts';
import { unusedBuildArgs } from '../dockerfile/scope.ts';
import { validateInstruction } from '../dockerfile/validate.ts';
import type { ContainerConfig } from '../image/types.ts';
import { planStage } from './dispatch.ts';
import { type ResolvedEpoch, resolveEpoch } from './epoch.ts';
import { locating } from './fail.ts';
import { noteLabels } from './lines.ts';
import { linkStages, type StageGraph } from './link.ts';
import { type PlanInput, type PlanOptions, withPlanDefaults } from './options.ts';
import { neededBy, resolveStages } from './resolve.ts';
import type { Builder, StageState } from './stage-state.ts';
import { type FileStages, readStages } from './stages.ts';
import { PLAN_FORMAT, type Plan, type PlannedStage } from './types.ts';

/**
 * Compiles a parsed Dockerfile for one target: stages, steps and their edges, configurations and history, as plain
 * data. Images are looked up only for what the target needs.
 *
 * The file must have no syntax errors (`parse` gives them); what parses and makes no sense is refused here.
 *
 * @throws SlipwayError with Docker's texts, a hint and the place in the file.
 */
export async function compilePlan(dockerfile: Dockerfile, input: PlanInput): Promise<Plan> {
  let options = withPlanDefaults(input);
  if (isMultiPlatform(options.buildArgs)) options = { ...options, severalPlatforms: true };
  validate(dockerfile, options);
  const report = new CheckReport(checkSettings(dockerfile, options));
  checkFile(dockerfile, report);
  const file = readStages(dockerfile, options, report);
  const epoch = await resolveEpoch(file, options, dockerfile.escape);
  if (epoch.moving) options = withEpoch(options, file, epoch);
  const graph = linkStages(file.stages, dockerfile.escape, options);
  const linker = { stages: graph.stages, byName: graph.byName, escape: dockerfile.escape, options };
  const resolution = await resolveStages(graph, linker);
  const builder: Builder = {
    options,
    escape: dockerfile.escape,
    globals: file.globals,
    resolution,
    report,
    nodes: [],
    bases: new Map(),
    contexts: new Map(),
    states: new Map(),
    imageNodes: new Map(),
    declaredArgs: declaredArgs(dockerfile, file),
    singleStage: graph.stages.length === 1 && !graph.readsOutside,
    textLength: 0,
  };
  resolution.stages.forEach((stage, index) => {
    builder.states.set(stage, planStage(builder, stage, index));
  });
  for (const stage of graph.targets) finishTarget(builder.states.get(stage)!, options);
  const [finding] = report.findings;
  locating(options, finding ?? dockerfile, () => report.assertClean());
  return finishPlan(builder, graph, { file, epoch });
}

/** Stages see the time that was found, not what it was asked of. */
function withEpoch(options: PlanOptions, { globals }: FileStages, { seconds }: ResolvedEpoch): PlanOptions {
  const text = seconds === undefined ? '' : String(seconds);
  if (globals.has('SOURCE_DATE_EPOCH')) globals.set('SOURCE_DATE_EPOCH', text);
  return { ...options, buildArgs: new Map([...options.buildArgs, ['SOURCE_DATE_EPOCH', text]]) };
}

/** What the command line has to say about the image itself comes last. */
function finishTarget(state: StageState, { labels, unsetEnv }: PlanOptions): void {
  const { config } = state;
  if (labels.size > 0) {
    config.Labels = { ...config.Labels, ...Object.fromEntries(labels) };
    noteLabels(state, labels);
  }
  const names = new Set(unsetEnv);
  if (names.size > 0) config.Env = (config.Env ?? []).filter((entry) => !names.has(entry.split('=', 1)[0]!));
}

/** The order of Docker: everything that can be told from a line alone comes before any line has an effect. */
function validate(dockerfile: Dockerfile, options: PlanOptions): void {
  for (const instruction of dockerfile.instructions) {
    const prefix = `dockerfile parse error on line ${instruction.range.start.line}: `;
    locating(options, { range: instruction.range, instruction, prefix }, () =>
      validateInstruction(instruction),
    );
  }
}

function checkSettings(dockerfile: Dockerfile, options: PlanOptions) {
  const given = options.buildArgs.get('BUILDKIT_DOCKERFILE_CHECK');
  const directive = dockerfile.directives.find(({ name }) => name === 'check');
  const range = directive?.valueRange ?? dockerfile.range;
  return locating(options, { range, prefix: 'failed to parse check options: ' }, () =>
    parseCheckSettings(given ?? directive?.value ?? ''),
  );
}

/** ARGs of needless stages count as well: the argument is not a mistake. */
function declaredArgs(dockerfile: Dockerfile, file: FileStages): Set<string> {
  const names = new Set(file.globalNames);
  for (const instruction of dockerfile.instructions) {
    if (instruction.keyword !== 'ARG') continue;
    for (const pair of instruction.pairs) names.add(pair.key.text);
  }
  return names;
}

function finishPlan(
  builder: Builder,
  graph: StageGraph,
  { file, epoch }: { file: FileStages; epoch: ResolvedEpoch },
): Plan {
  const { options, report } = builder;
  const states = [...builder.states.values()];
  const plan: Plan = {
    format: PLAN_FORMAT,
    platform: options.platform,
    stages: states.map((state) => finishStage(builder, state)),
    ...targetsOf(builder, graph),
    nodes: builder.nodes,
    bases: [...builder.bases.values()],
    ...(options.withLines ? { globalLines: file.globalLines } : {}),
    ...(builder.contexts.size === 0 ? {} : { contexts: [...builder.contexts.values()] }),
    warnings: report.findings.toSorted((a, b) => a.range.start.offset - b.range.start.offset),
    unusedBuildArgs: unusedBuildArgs(options.buildArgs, builder.declaredArgs),
    ...(epoch.seconds === undefined ? {} : { epoch: epoch.seconds }),
    ...(epoch.moving ? { movingEpoch: true } : {}),
  };
  // Absent and undefined mean the same: what is kept as JSON must come back equal.
  return JSON.parse(JSON.stringify(plan)) as Plan;
}

function targetsOf(builder: Builder, graph: StageGraph): Pick<Plan, 'target' | 'targets' | 'extraStages'> {
  const targets = graph.targets.map((stage) => builder.states.get(stage)!.planIndex);
  const needed = neededBy(graph.targets);
  const extraStages = [...builder.states]
    .filter(([stage]) => !needed.has(stage))
    .map(([, state]) => state.planIndex);
  return {
    target: targets.at(-1)!,
    ...(targets.length > 1 ? { targets } : {}),
    ...(extraStages.length > 0 ? { extraStages } : {}),
  };
}

function finishStage(builder: Builder, state: StageState): PlannedStage {
  const { stage, platform, result, config, author, history } = state;
  const base =
    stage.base.kind === 'stage' && stage.replacedBy === undefined
      ? builder.states.get(stage.base.stage)!.planIndex
      : undefined;
  const description = descriptionOf(
    stage.from.comments.map((comment) => comment.text),
    stage.name,
  );
  return {
    index: stage.index,
    name: stage.name,
    displayName: stage.displayName,
    platform,
    ...(base === undefined ? {} : { base }),
    result,
    config: withoutEmpty(config),
    ...(author === undefined || author === '' ? {} : { author }),
    history,
    ...(state.lines === undefined
      ? {}
      : { lines: state.lines.map((line) => ({ ...line, config: withoutEmpty(line.config) })) }),
    ...(description === undefined ? {} : { description }),
  };
}

/** Docker leaves out what is empty: `CMD []` and no CMD look the same in an image. */
function withoutEmpty(config: ContainerConfig): ContainerConfig {
  const entries = Object.entries(config).filter(
    ([, value]) =>
      value !== null &&
      value !== '' &&
      value !== undefined &&
      (typeof value !== 'object' || Object.keys(value).length > 0),
  );
  return Object.fromEntries(entries);
}

/** What follows the stage's name in a comment above FROM. */
function descriptionOf(comments: readonly string[], name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  return comments.find((text) => text.startsWith(`${name} `))?.slice(name.length + 1);
}
