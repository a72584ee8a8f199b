import { hash } from 'node:crypto';
import { SlipwayError } from '../errors/index.ts';
import type { Platform } from '../image/types.ts';
import type { NamedContext, ResolvedImage, TimeSource } from '../plan/options.ts';
import { PLAN_FORMAT, type Plan } from '../plan/types.ts';
import { getPlan, putPlan } from '../store/memory.ts';
import type { Store } from '../store/store.ts';

/** What a plan is made from. */
export interface PlanSource {
  /** As people call it, for errors. */
  file: string;
  text: string;
  target: string | undefined;
  targets?: readonly string[] | undefined;
  allStages?: boolean | undefined;
  buildArgs: ReadonlyMap<string, string>;
  labels: ReadonlyMap<string, string>;
  platform: Platform;
  /** Where the build runs. */
  buildPlatform: Platform;
  severalPlatforms: boolean;
  network: 'default' | 'none' | 'host';
  noCache: boolean | readonly string[];
  allow: readonly string[];
  /** Named contexts, and what gives those that are images without a name. */
  namedContexts: ReadonlyMap<string, NamedContext>;
  resolveContext: (name: string, platform: Platform) => Promise<ResolvedImage>;
  /** The image that a reference stands for now, wherever that is said. */
  resolveImage: (reference: string, platform: Platform) => Promise<ResolvedImage | undefined>;
  asksRegistries: boolean;
  timeOf: (source: TimeSource) => Promise<number | undefined>;
  unsetEnv?: readonly string[];
  unsetLabels?: readonly string[];
  ignoreSyntax: boolean;
  withLines?: boolean;
  /** Told which image is looked up; what it returns, when that is done and what went wrong. */
  onLookUp?: (reference: string, platform: Platform) => (error?: string) => void;
}

/**
 * The plan of a Dockerfile: the kept one when nothing that it was made from has changed, which spares a cached
 * build the grammar, else a new one, which is kept.
 *
 * Throws all errors of the file at once as one `syntax` error when it does not parse, and what `checkSyntax` and
 * `compilePlan` throw.
 */
export async function makePlan(store: Store, source: PlanSource): Promise<Plan> {
  const key = planKey(source);
  const kept = getPlan(store, key);
  if (kept !== undefined) {
    const plan = JSON.parse(kept) as Plan;
    if (await isFresh(plan, source)) return plan;
  }
  const [{ parse, parseTrigger }, { compilePlan }, { syntaxError }, { checkSyntax }] = await Promise.all([
    import('../../grammar/parse.ts'),
    import('../plan/compile.ts'),
    import('./syntax-error.ts'),
    import('./foreign-syntax.ts'),
  ]);
  const foreign = checkSyntax(source);
  const { dockerfile, errors } = parse(source.text);
  if (errors.length > 0) throw syntaxError(errors, source);
  const plan = await compilePlan(dockerfile, {
    ...source,
    resolveImage: async (reference, platform) => {
      const end = source.onLookUp?.(reference, platform);
      try {
        const image = await source.resolveImage(reference, platform);
        end?.(image === undefined ? `${reference}: not found` : undefined);
        return image;
      } catch (error) {
        end?.((error as Error).message);
        throw error;
      }
    },
    parseTrigger,
  });
  if (foreign !== undefined) plan.warnings.unshift(foreign);
  if (!plan.movingEpoch) putPlan(store, key, JSON.stringify(plan));
  return plan;
}

/** The images that a kept plan stands on are still what they were. */
async function isFresh(plan: Plan, source: PlanSource): Promise<boolean> {
  for (const { reference, imageId, context, remote, platform } of plan.bases) {
    const now = await (context === undefined
      ? source.resolveImage(reference, remote ?? platform ?? plan.platform)
      : source.resolveContext(context, platform ?? plan.platform));
    if (now?.imageId !== imageId || (now.remote === undefined) !== (remote === undefined)) return false;
    if (context === undefined) source.onLookUp?.(reference, platform ?? plan.platform)();
  }
  return true;
}

function planKey(source: PlanSource): string {
  const { file, text, target, targets, allStages, buildArgs, labels, platform, network, noCache, allow } =
    source;
  const { ignoreSyntax } = source;
  const parts = [
    PLAN_FORMAT,
    file,
    text,
    target ?? null,
    targets ?? null,
    allStages ?? false,
    [...buildArgs],
    [...labels],
    platform,
    network,
    noCache,
    allow,
    [...source.namedContexts],
    source.unsetEnv ?? [],
    source.unsetLabels ?? [],
    ignoreSyntax,
    source.withLines ?? false,
    source.buildPlatform,
    source.severalPlatforms,
  ];
  return hash('sha256', JSON.stringify(parts), 'hex');
}

/** Steps run in this kernel: what is for another one cannot be built, whatever emulates its processors. */
export function checkPlatform(platform: Platform, host: Platform): void {
  if (platform.os === host.os) return;
  throw new SlipwayError(
    'unsupported',
    `this machine is ${host.os}/${host.architecture} and cannot build for ${platform.os}/${platform.architecture}`,
    { code: 'PLATFORM', hint: `Only images for ${host.os} are built.` },
  );
}
