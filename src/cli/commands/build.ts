import { goQuote } from '../../dockerfile/go-text.ts';
import { SlipwayError } from '../../errors/index.ts';
import { checkNewName, type ImageReference, parseReference } from '../../image/reference.ts';
import { isProgressMode } from '../../progress/create-sink.ts';
import { readBuildArgFiles } from '../build-arg-file.ts';
import { buildContexts } from '../build-contexts.ts';
import type { BuildRequest } from '../build-request.ts';
import { parseByteSize } from '../byte-size.ts';
import { defineCommand } from '../command.ts';
import { parseEntitlement } from '../entitlement.ts';
import type { FlagValues, ParsedFlags } from '../flags/definition.ts';
import { ignoreFrom } from '../ignore-from.ts';
import { isolationChoice } from '../isolation-choice.ts';
import { keyValues } from '../key-values.ts';
import { requestedTargets } from '../requested-targets.ts';
import { runtimeName } from '../runtime-name.ts';
import { parseSecrets } from '../secret-spec.ts';
import { parseSsh } from '../ssh-spec.ts';
import { buildFlags } from './build-flags.ts';
import { imageOptions } from './build-image-flags.ts';
import { stepSettings } from './build-step-flags.ts';
import { isExplainFormat, unknownFormat } from './explain-format.ts';

/** `slipway build` */
export const build = defineCommand({
  usage: '[OPTIONS] PATH | URL | -',
  flags: buildFlags,
  args: { least: 1, most: 1 },
  async run(context, line) {
    const request = buildRequest(line, line.args[0]!, context.env);
    const { runBuild } = await import('./build-run.ts');
    return runBuild(request, context);
  },
});

/** Flags and environment as one request. Throws `usage` with buildx's words. */
export function buildRequest(
  line: Pick<ParsedFlags<typeof buildFlags>, 'values' | 'sequence'>,
  context: string,
  env: NodeJS.ProcessEnv,
): BuildRequest {
  const flags = line.values;
  if (context === '')
    throw usage('CONTEXT_EMPTY', 'please specify build context (e.g. "." for the current directory)');
  const progress = flags.progress === 'auto' ? progressOf(env, flags.quiet) : flags.progress;
  if (!isProgressMode(progress)) {
    throw usage(
      'PROGRESS_INVALID',
      `invalid progress mode ${progress}`,
      'Modes: auto, classic, none, plain, quiet, rawjson, tty.',
    );
  }
  if (flags.quiet && progress !== 'auto' && progress !== 'quiet') {
    throw usage('PROGRESS_INVALID', `progress=${progress} and quiet cannot be used together`);
  }
  const network = flags.network || 'default';
  if (network !== 'default' && network !== 'none' && network !== 'host') {
    throw usage(
      'NETWORK_INVALID',
      `network mode ${goQuote(network)} not supported by slipway`,
      'Modes: default, host, none.',
    );
  }
  const explain = flags.explain || undefined;
  if (explain !== undefined && !isExplainFormat(explain)) throw unknownFormat(explain);
  for (const tag of flags.tag) checkTag(tag);
  if (flags.jobs < 0) throw usage('JOBS_INVALID', `--jobs must not be negative, got ${flags.jobs}`);
  const buildArgs = keyValues([...readBuildArgFiles(flags['build-arg-file']), ...flags['build-arg']], {
    env,
  });
  if (flags.timestamp !== '' && buildArgs.SOURCE_DATE_EPOCH !== undefined) {
    throw usage(
      'TIMESTAMP_CONFLICT',
      '--timestamp and the build argument SOURCE_DATE_EPOCH exclude each other',
    );
  }
  const platforms = flags.platform.length > 0 ? flags.platform : [env.DOCKER_DEFAULT_PLATFORM ?? ''];
  return {
    context,
    file: flags.file || undefined,
    ignoreFrom: ignoreFrom(flags['ignore-from']),
    ...requestedTargets(line),
    allStages: flags['all-stages'],
    normalizeModes: flags['normalize-modes'],
    buildContexts: buildContexts(flags['build-context']),
    buildArgs,
    image: imageOptions(flags),
    secrets: parseSecrets(flags.secret, env),
    ssh: parseSsh(flags.ssh, env),
    allow: flags.allow.map(parseEntitlement),
    ignoreSyntax: flags['ignore-syntax'],
    noCache: noCacheOf(flags),
    pull: flags.pull,
    network,
    steps: {
      ...stepSettings(flags),
      ...(flags['reset-cache-mounts'] ? { resetCacheMounts: true } : {}),
    },
    runtime: runtimeName(flags.runtime),
    isolation: isolationChoice(flags.isolation),
    platforms: platforms.filter((platform) => platform !== ''),
    progress: flags.quiet ? 'quiet' : progress,
    explain,
    quiet: flags.quiet,
    keepLines: progress === 'classic' || isOff(env.DOCKER_BUILDKIT),
    iidFile: flags.iidfile || undefined,
    metadataFile: flags['metadata-file'] || undefined,
    jobs: flags.jobs || undefined,
    cacheFrom: flags['cache-from'].filter((text) => text !== ''),
    cacheTo: flags['cache-to'].filter((text) => text !== ''),
    memoryBudget: flags['memory-budget'] === '' ? undefined : parseByteSize(flags['memory-budget']),
  };
}

/** DOCKER_BUILDKIT=0 asks for the classic builder, as in Docker. */
function progressOf(env: NodeJS.ProcessEnv, quiet: boolean): string {
  return env.BUILDKIT_PROGRESS || (isOff(env.DOCKER_BUILDKIT) && !quiet ? 'classic' : 'auto');
}

function isOff(text: string | undefined): boolean {
  return text !== undefined && ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text);
}

/**
 * Stage names may be given one by one or in a list; an empty one stands for stages without a name, and nothing but an
 * empty one for all. Names that no stage has are let pass (all as buildx 0.13 was seen to do).
 */
function noCacheOf(flags: FlagValues<typeof buildFlags>): boolean | string[] {
  const stages = flags['no-cache-filter'].join(',').split(',');
  if (flags['no-cache-filter'].length === 0) return flags['no-cache'];
  if (!flags['no-cache']) return stages.length === 1 && stages[0] === '' ? true : stages;
  throw usage('NO_CACHE_CONFLICT', '--no-cache and --no-cache-filter cannot currently be used together');
}

/** Docker says which tag is wrong, then why. */
function checkTag(text: string): void {
  let reference: ImageReference;
  try {
    reference = parseReference(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usage('TAG_INVALID', `invalid tag ${goQuote(text)}: ${why}`);
  }
  // The store says so as well, but only when all is built.
  checkNewName(reference);
}

function usage(code: string, message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, { code, hint });
}
