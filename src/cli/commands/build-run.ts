import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from '../../engine/build.ts';
import type { BuildOutput } from '../../engine/options.ts';
import { SlipwayError } from '../../errors/index.ts';
import { parsePlatform } from '../../image/platform.ts';
import { createSink } from '../../progress/create-sink.ts';
import type { BuildRequest } from '../build-request.ts';
import type { CommandContext } from '../command.ts';
import type { OutputSpec } from '../output-spec.ts';

/** Builds, showing progress on standard error; prints the image id on standard output when quiet. */
export async function runBuild(request: BuildRequest, context: CommandContext): Promise<number> {
  const { env, signal, stdout, stderr, root } = context;
  if (request.platforms.length > 1 || request.platforms.some((platform) => platform.includes(','))) {
    throw new SlipwayError('unsupported', 'several platforms in one build are not there yet', {
      code: 'MULTI_PLATFORM',
    });
  }
  const [platform] = request.platforms;
  const outputs = request.outputs.flatMap((spec) => outputOf(spec, context));
  const stores = request.outputs.some((spec) => spec.type === 'image' || isLoad(spec));
  const names = request.outputs.flatMap((spec) => spec.names);
  const progress = await createSink(request.progress, stderr, { env });
  const result = await build({
    context: request.context,
    file: request.file,
    tags: [...request.tags, ...names],
    target: request.target,
    buildArgs: request.buildArgs,
    labels: request.labels,
    noCache: request.noCache,
    network: request.network,
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
    jobs: request.jobs,
    outputs,
    ...(request.outputs.length === 0 || stores ? { store: true } : {}),
    root,
    runtime: request.runtime,
    progress,
    signal,
    env,
    stdin: lazyStdin(context),
  });
  if (request.iidFile !== undefined) writeFileSync(resolve(request.iidFile), result.imageId);
  if (request.quiet) stdout.write(`${result.imageId}\n`);
  return 0;
}

/** `type=docker` without a place means the engine's own store: ours. */
function isLoad(spec: OutputSpec): boolean {
  return spec.type === 'docker' && spec.dest === undefined;
}

function outputOf(spec: OutputSpec, { stdout }: CommandContext): BuildOutput[] {
  if (spec.type === 'image' || spec.type === 'cacheonly' || isLoad(spec)) return [];
  const dest = spec.dest ?? '-';
  if (dest === '-' && stdout.isTTY) {
    throw new SlipwayError('usage', 'dest file is required for an archive: refusing to write to console', {
      code: 'STDOUT_IS_TERMINAL',
      hint: `Write -o type=${spec.type},dest=FILE, or redirect standard output.`,
    });
  }
  return [{ type: spec.type, dest, tar: spec.tar }];
}

/** Standard input is opened only when something reads it. */
function lazyStdin({ stdin }: CommandContext): AsyncIterable<Buffer> {
  return { [Symbol.asyncIterator]: () => stdin()[Symbol.asyncIterator]() as AsyncIterator<Buffer> };
}
