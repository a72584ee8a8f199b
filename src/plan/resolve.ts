import { goQuote } from '../dockerfile/go-text.ts';
import { didYouMean, suggest } from '../dockerfile/suggest.ts';
import { validateInstruction } from '../dockerfile/validate.ts';
import { SlipwayError, type SourceRange } from '../errors/index.ts';
import { normalizeReference } from '../image/reference.ts';
import type { Platform } from '../image/types.ts';
import { errorAt, locating } from './fail.ts';
import {
  type Command,
  type LinkedStage,
  type Linker,
  linkCommand,
  type Source,
  type StageGraph,
} from './link.ts';
import type { PlanOptions, ResolvedImage } from './options.ts';
import { rangeOfSource } from './source-range.ts';

/** An image that the plan stands on. */
export interface Base extends ResolvedImage {
  /** Normalised; of a named context without a name in the store, where it comes from. */
  reference: string;
  /** That context. */
  context?: string;
}

/** The stages that the targets need, and the images they need. */
export interface Resolution {
  /** In the order of the file. */
  stages: LinkedStage[];
  /** The image behind a source; for stages whose FROM names an image, by `baseImage`. */
  imageOf(source: Source, platform: Platform): Base;
}

/** Suggested for names of images that are not found. */
const COMMON_IMAGES = ['alpine', 'busybox', 'centos', 'debian', 'golang', 'ubuntu', 'fedora'];

/**
 * Finds what the targets need, looks up the images of exactly that, and puts the ONBUILD triggers of bases before
 * the commands of their stages, which may need more (SPEC F8, 1.14 ONBUILD).
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`, `TRIGGER_INVALID`, and what `resolveImage` throws.
 */
export async function resolveStages(graph: StageGraph, linker: Linker): Promise<Resolution> {
  const { options } = linker;
  const images = new Map<string, Base>();
  const triggered = new Set<LinkedStage>();
  const roots = options.allStages === true ? graph.stages : graph.targets;
  for (;;) {
    const needed = neededBy(roots);
    await lookUp(needed, { graph, options, images });
    let grew = false;
    for (const stage of [...needed].sort((a, b) => a.index - b.index)) {
      if (triggered.has(stage)) continue;
      triggered.add(stage);
      const triggers = triggersOf(stage, (source) => imageFor(images, source, platformOf(stage, options)));
      if (triggers.length > 0) grew = addTriggers(stage, triggers, linker) || grew;
    }
    if (!grew) break;
  }
  const stages = [...neededBy(roots)].sort((a, b) => a.index - b.index);
  return { stages, imageOf: (source, platform) => imageFor(images, source, platform)! };
}

/** The platform that a stage's FROM asks for. */
export function platformOf(stage: LinkedStage, options: PlanOptions): Platform {
  return stage.platform ?? options.platform;
}

/** What has to be looked up for a source: an image by its name, or the result that a named context is. */
type Wanted = { image: string } | { result: string; description: string };

function wantedOf(source: Source | undefined): Wanted | undefined {
  if (source?.kind === 'image') return { image: source.name };
  if (source?.kind !== 'context') return undefined;
  const { name, context } = source;
  if (context.kind === 'image') return { image: context.reference };
  return context.kind === 'result' ? { result: name, description: context.description } : undefined;
}

function keyOf(wanted: Wanted, platform: Platform): string {
  if ('result' in wanted) return `${JSON.stringify(platform)} result ${wanted.result}`;
  return `${JSON.stringify(platform)} ${normalizeReference(wanted.image)}`;
}

function imageFor(images: ReadonlyMap<string, Base>, source: Source, platform: Platform): Base | undefined {
  const wanted = wantedOf(source);
  return wanted === undefined ? undefined : images.get(keyOf(wanted, platform));
}

/** The stages themselves and all that they read from. */
export function neededBy(roots: readonly LinkedStage[]): Set<LinkedStage> {
  const found = new Set<LinkedStage>(roots);
  // A set grows while it is walked: this visits what is added, too.
  for (const stage of found) {
    if (stage.replacedBy !== undefined) continue;
    if (stage.base.kind === 'stage') found.add(stage.base.stage);
    for (const command of stage.commands) {
      for (const source of command.sources) {
        if (source?.kind === 'stage') found.add(source.stage);
      }
    }
  }
  return found;
}

interface Request {
  wanted: Wanted;
  platform: Platform;
  range: SourceRange;
}

async function lookUp(
  stages: ReadonlySet<LinkedStage>,
  context: { graph: StageGraph; options: PlanOptions; images: Map<string, Base> },
): Promise<void> {
  const { graph, options, images } = context;
  const requests = new Map<string, Request>();
  const want = (source: Source | undefined, platform: Platform, range: SourceRange) => {
    const wanted = wantedOf(source);
    if (wanted === undefined) return;
    const key = locating(options, { range }, () => keyOf(wanted, platform));
    if (!images.has(key) && !requests.has(key)) requests.set(key, { wanted, platform, range });
  };
  for (const stage of stages) {
    if (stage.replacedBy !== undefined) {
      want({ kind: 'context', ...stage.replacedBy }, platformOf(stage, options), stage.from.range);
      continue;
    }
    want(stage.base, platformOf(stage, options), stage.from.image.range);
    for (const command of stage.commands) {
      for (const [index, source] of command.sources.entries())
        want(source, options.platform, rangeOfSource(command, index, options));
    }
  }
  const entries = [...requests];
  const outcomes = await Promise.allSettled(
    entries.map(async ([, request]) => resolveOne(request, graph, options)),
  );
  outcomes.forEach((outcome, index) => {
    // The first in the order of the file, whichever failed first.
    if (outcome.status === 'rejected') throw outcome.reason;
    images.set(entries[index]![0], outcome.value);
  });
}

async function resolveOne(request: Request, graph: StageGraph, options: PlanOptions): Promise<Base> {
  const { wanted } = request;
  if ('result' in wanted) {
    const { result, description } = wanted;
    const found = await options.resolveContext(result, request.platform).catch((error: unknown) => {
      // What the command line names has no place in the file.
      if (options.namedContexts.has(result) || !(error instanceof SlipwayError)) throw error;
      if (error.kind === 'canceled' || error.location) throw error;
      const { kind, code, hint, message } = error;
      throw errorAt(options, request.range, { kind, code, hint, message });
    });
    return { reference: description, context: result, ...found };
  }
  const { image: name } = wanted;
  const reference = normalizeReference(name);
  const stageNames = graph.stages.map((stage) => stage.displayName);
  const found = await options.resolveImage(reference, request.platform).catch((error: unknown) => {
    if (!(error instanceof SlipwayError) || error.kind === 'canceled' || error.location) throw error;
    // Whoever mistypes a stage asks a registry for it.
    const near = didYouMean(suggest(name, stageNames));
    const message = `${name}: failed to resolve source metadata for ${reference}: ${error.message}${near}`;
    const { kind, code, hint } = error;
    throw errorAt(options, request.range, { kind, code, hint, message });
  });
  if (found !== undefined) return { reference, ...found };
  const near = suggest(name, [...stageNames, ...COMMON_IMAGES.flatMap((name) => [name, `${name}:latest`])]);
  throw errorAt(options, request.range, {
    kind: 'not-found',
    message: `${name}: failed to resolve source metadata for ${reference}: ${reference}: not found${didYouMean(near)}`,
    code: 'IMAGE_NOT_FOUND',
    hint: isStageBelow(graph, name)
      ? `The stage ${name} stands further below; move it above its use.`
      : `There is no image ${reference} in the store${options.asksRegistries ? ' and none in its registry' : ''}.`,
  });
}

function isStageBelow(graph: StageGraph, name: string): boolean {
  return graph.byName.has(name.toLowerCase());
}

/** Texts of the triggers that run at the start of a stage. */
function triggersOf(stage: LinkedStage, imageOf: (source: Source) => Base | undefined): readonly string[] {
  if (stage.replacedBy !== undefined) return [];
  if (stage.base.kind !== 'stage') return imageOf(stage.base)?.config.config.OnBuild ?? [];
  const parent = stage.base.stage;
  if (parent.replacedBy !== undefined) return [];
  return parent.commands.flatMap(({ instruction }) =>
    instruction.keyword === 'ONBUILD' ? [instruction.trigger] : [],
  );
}

/** True when a trigger reads from a stage or an image. */
function addTriggers(stage: LinkedStage, triggers: readonly string[], linker: Linker): boolean {
  const { options } = linker;
  const { range } = stage.from;
  const commands: Command[] = triggers.map((trigger) => {
    const { instruction, errors } = options.parseTrigger(trigger);
    if (instruction === undefined || errors.length > 0) {
      const [error] = errors;
      throw errorAt(options, range, {
        kind: 'syntax',
        message: error?.message ?? 'onbuild trigger should be a single expression',
        code: 'TRIGGER_INVALID',
        hint: `The base has ONBUILD ${goQuote(trigger)}.`,
      });
    }
    locating(options, { range }, () => validateInstruction(instruction));
    return linkCommand(linker, instruction, range);
  });
  stage.commands = [...commands, ...stage.commands];
  stage.stepCount += commands.length;
  return commands.some((command) => command.sources.length > 0);
}
