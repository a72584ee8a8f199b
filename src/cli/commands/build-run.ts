import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from '../../engine/build.ts';
import type { BuildOptions, BuildResult } from '../../engine/options.ts';
import type { BuildOutput } from '../../engine/output-options.ts';
import { SlipwayError } from '../../errors/index.ts';
import { createSink } from '../../progress/create-sink.ts';
import { safeText } from '../../progress/safe-text.ts';
import type { BuildRequest } from '../build-request.ts';
import type { CommandContext } from '../command.ts';
import type { OutputSpec } from '../output-keys.ts';
import { forPlatforms, requestedPlatforms } from '../requested-platforms.ts';
import type { ExplainFormat } from './explain-format.ts';

/** Builds, showing progress on standard error; prints the image id on standard output when quiet. */
export async function runBuild(given: BuildRequest, context: CommandContext): Promise<number> {
  const { env, signal, stdout, stderr, root } = context;
  const platforms = requestedPlatforms(given.platforms);
  const request = forPlatforms(given, platforms);
  const specs = [request.outputs, ...request.targets.map((target) => target.outputs)].flat();
  const outputs = specs.flatMap((spec) => outputOf(spec, context));
  if (outputs.filter(isStdout).length > 1) {
    throw new SlipwayError('usage', 'only one output can be written to standard output', {
      code: 'OUTPUT_INVALID',
      hint: 'Give the others a file: dest=FILE.',
    });
  }
  refuseMixing(request, outputs);
  requireEntitlements(specs, request.allow);
  const stores = specs.some(
    (spec) => (spec.type === 'image' && spec.store !== false && spec.pushByDigest !== true) || isLoad(spec),
  );
  const iidFile = request.iidFile === undefined ? undefined : resolve(request.iidFile);
  // An old one must not pass for the result of a build that fails.
  if (iidFile !== undefined) withIidFile(iidFile, () => rmSync(iidFile, { force: true }));
  const classic = request.progress === 'classic';
  const progress = await createSink(request.progress, stderr, { env, output: stdout });
  const explanation = explainAtEnd(request, context);
  const caches = await cachesOf(request);
  let told = false;
  // Whoever waits for the result does not wait for caches.
  const tell = async (result: BuildResult): Promise<void> => {
    if (told) return;
    told = true;
    await tellResult(result, request, { context, iidFile, printsId: !outputs.some(isStdout) });
  };
  const building = build({
    context: request.context,
    file: request.file,
    ignoreFrom: request.ignoreFrom,
    tags: [...request.tags, ...namesOf(request.outputs)],
    target: request.target,
    targets: request.targets.map(({ stage, tags, outputs }) => ({
      stage,
      tags: [...tags, ...namesOf(outputs)],
      outputs: outputs.flatMap((spec) => outputOf(spec, context)),
    })),
    allStages: request.allStages,
    normalizeModes: request.normalizeModes,
    buildContexts: request.buildContexts,
    ...(request.pull && { pull: 'always' as const }),
    buildArgs: request.buildArgs,
    ...request.image,
    ...rewritesTimestamps(specs),
    secrets: request.secrets,
    ssh: request.ssh,
    allow: request.allow,
    ignoreSyntax: request.ignoreSyntax,
    noCache: request.noCache,
    network: request.network,
    steps: request.steps,
    ...(request.platforms.length === 0 ? {} : { platforms }),
    jobs: request.jobs,
    memoryBudget: request.memoryBudget,
    outputs: request.outputs.flatMap((spec) => outputOf(spec, context)),
    ...caches,
    ...(caches.cacheTo && !classic && { onResult: tell }),
    ...storeChoice(specs, stores),
    root,
    runtime: request.runtime,
    isolation: request.isolation,
    early: context.early,
    progress,
    lines: request.keepLines,
    onStart: explanation.start,
    signal,
    env,
    stdin: lazyStdin(context),
  });
  const result = await explanation.after(classic ? orClassicFailure(building) : building);
  if (typeof result === 'object' && 'exitCode' in result) {
    stderr.write(result.text);
    return result.exitCode;
  }
  await tell(result);
  if (classic) {
    const { classicEnd } = await import('./build-classic.ts');
    stdout.write(classicEnd(result));
    return 0;
  }
  const unused = result.unusedBuildArgs;
  if (unused.length > 0 && request.progress !== 'rawjson' && !isQuiet(request)) {
    stderr.write(`[Warning] One or more build-args [${unused.map(safeText).join(' ')}] were not consumed\n`);
  }
  return 0;
}

/** Says what was built to files and, when quiet, on standard output. */
async function tellResult(
  result: BuildResult,
  { quiet, metadataFile, progress }: BuildRequest,
  {
    context: { env, stdout },
    iidFile,
    printsId,
  }: { context: CommandContext; iidFile: string | undefined; printsId: boolean },
): Promise<void> {
  const ids = result.images.map(({ imageId, index }) => index ?? imageId).join('\n');
  if (iidFile !== undefined) withIidFile(iidFile, () => writeFileSync(iidFile, ids));
  if (metadataFile !== undefined) {
    const { buildMetadata, writeMetadataFile } = await import('../metadata-file.ts');
    const warnings = /^(?:1|t|true)$/i.test(env.BUILDX_METADATA_WARNINGS ?? '');
    writeMetadataFile(resolve(metadataFile), buildMetadata(result, { warnings }));
  }
  // Standard output may hold an archive: nothing else is mixed into it.
  if (quiet && printsId && progress !== 'classic') stdout.write(`${ids}\n`);
}

/** What is to be looked into and left beside the store's own cache. */
async function cachesOf({
  cacheFrom,
  cacheTo,
}: BuildRequest): Promise<Pick<BuildOptions, 'cacheFrom' | 'cacheTo'>> {
  if (cacheFrom.length === 0 && cacheTo.length === 0) return {};
  const { parseCacheFrom, parseCacheTo } = await import('../cache-spec.ts');
  return {
    ...(cacheFrom.length > 0 && { cacheFrom: parseCacheFrom(cacheFrom) }),
    ...(cacheTo.length > 0 && { cacheTo: parseCacheTo(cacheTo) }),
  };
}

/** Gives the failure of a RUN in the classic builder's words. */
async function orClassicFailure(building: Promise<BuildResult>) {
  try {
    return await building;
  } catch (error) {
    const { classicFailure } = await import('./build-classic.ts');
    const failure = classicFailure(error);
    if (failure === undefined) throw error;
    return failure;
  }
}

/** Standard output is for one thing. */
function refuseMixing({ explain, progress }: BuildRequest, outputs: readonly BuildOutput[]): void {
  const users = [
    ...(explain === 'json' ? ['--explain=json'] : []),
    ...(progress === 'classic' ? ['--progress=classic'] : []),
    ...(outputs.some(isStdout) ? ['an output'] : []),
  ];
  if (users.length < 2) return;
  throw new SlipwayError('usage', `${users.join(' and ')} cannot both go to standard output`, {
    code: 'OUTPUT_INVALID',
    hint: 'Give the output a file: dest=FILE.',
  });
}

/** Says at the end of a build why steps ran where that is asked for, also when it failed. */
function explainAtEnd({ explain }: BuildRequest, context: CommandContext) {
  let id: string | undefined;
  return {
    start: (buildId: string): void => {
      id = buildId;
    },
    after: async <Result>(building: Promise<Result>): Promise<Result> => {
      try {
        return await building;
      } finally {
        if (explain !== undefined && id !== undefined) await explainBuild(id, explain, context);
      }
    },
  };
}

async function explainBuild(
  build: string,
  explain: ExplainFormat,
  { root, stdout, stderr }: CommandContext,
): Promise<void> {
  const { printExplanation } = await import('./explain-print.ts');
  try {
    printExplanation({ root, build }, explain, explain === 'json' ? stdout : stderr);
  } catch (error) {
    // The record may have been given up, on a full disk for instance: the build's own end counts.
    stderr.write(`[Warning] no explanation: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** An image goes into the store unless it only goes elsewhere; `store=false` of an output keeps it out. */
function storeChoice(specs: readonly OutputSpec[], stores: boolean): { store?: boolean } {
  if (specs.length === 0 || stores) return { store: true };
  const nowhere =
    specs.some((spec) => spec.store === false) || specs.every(({ type }) => type === 'cacheonly');
  return nowhere ? { store: false } : {};
}

/** The layers are the same for all outputs, and so is what becomes of the times in them. */
function rewritesTimestamps(specs: readonly OutputSpec[]): { rewriteTimestamp?: boolean } {
  const values = new Set(specs.flatMap(({ rewriteTimestamp }) => rewriteTimestamp ?? []));
  if (values.size > 1) {
    throw new SlipwayError('usage', 'the outputs of a build cannot differ in rewrite-timestamp', {
      code: 'OUTPUT_INVALID',
    });
  }
  const [rewriteTimestamp] = values;
  return rewriteTimestamp === undefined ? {} : { rewriteTimestamp };
}

function requireEntitlements(specs: readonly OutputSpec[], allowed: readonly string[]): void {
  if (allowed.includes(DELETE) || specs.every(({ mode }) => mode !== 'delete')) return;
  throw new SlipwayError('denied', `${DELETE} is not allowed`, {
    code: 'ENTITLEMENT_MISSING',
    hint: `mode=delete removes whatever else is in the folder. Build with --allow ${DELETE} if it may.`,
  });
}

/** Lets an output remove files of the machine. */
const DELETE = 'buildx.local.delete';

function withIidFile(path: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SlipwayError('invalid', `the image ID cannot be written to ${path}: ${why}`, {
      code: 'IIDFILE',
      cause,
    });
  }
}

function isQuiet({ progress }: BuildRequest): boolean {
  return progress === 'quiet' || progress === 'none';
}

/** What is pushed by its digest has names without tags, which the store does not keep. */
function namesOf(outputs: readonly OutputSpec[]): string[] {
  return outputs.flatMap(({ names, pushByDigest }) => (pushByDigest === true ? [] : names));
}

function isStdout(output: BuildOutput): boolean {
  return output.type !== 'registry' && output.dest === '-';
}

/** `type=docker` without a place means the engine's own store: ours. */
function isLoad(spec: OutputSpec): boolean {
  return spec.type === 'docker' && spec.dest === undefined;
}

function outputOf(spec: OutputSpec, { stdout }: CommandContext): BuildOutput[] {
  if (spec.type === 'image') return spec.push === true ? [registryOutput(spec)] : [];
  if (spec.type === 'cacheonly' || isLoad(spec)) return [];
  const dest = spec.dest ?? '-';
  if (dest === '-' && stdout.isTTY) {
    throw new SlipwayError('usage', 'dest file is required for an archive: refusing to write to console', {
      code: 'STDOUT_IS_TERMINAL',
      hint: `Write -o type=${spec.type},dest=FILE, or redirect standard output.`,
    });
  }
  const { type, names: _, store: __, rewriteTimestamp: ___, push: ____, ...keys } = spec;
  return [{ ...keys, type, dest }];
}

function registryOutput(spec: OutputSpec): BuildOutput {
  const { names, compression, compressionLevel, forceCompression, mediaTypes, annotations } = spec;
  const { pushByDigest, nameCanonical, insecure } = spec;
  return {
    type: 'registry',
    ...(names.length === 0 ? {} : { names }),
    ...defined({ compression, compressionLevel, forceCompression, mediaTypes, annotations }),
    ...defined({ pushByDigest, nameCanonical, insecure }),
  };
}

/** Without the members that are undefined. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

/** Standard input is opened only when something reads it. */
function lazyStdin({ stdin }: CommandContext): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => stdin()[Symbol.asyncIterator]() as AsyncIterator<Buffer> };
}
