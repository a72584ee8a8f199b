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
  network: 'default' | 'none' | 'host';
  noCache: boolean | readonly string[];
  allow: readonly string[];
  /** Named contexts, and what gives those that are images without a name. */
  namedContexts: ReadonlyMap<string, NamedContext>;
  resolveContext: (name: string) => Promise<ResolvedImage>;
  /** The image that a reference stands for now, wherever that is said. */
  resolveImage: (reference: string, platform: Platform) => Promise<ResolvedImage | undefined>;
  asksRegistries: boolean;
  timeOf: (source: TimeSource) => Promise<number | undefined>;
  unsetEnv?: readonly string[];
  unsetLabels?: readonly string[];
  ignoreSyntax: boolean;
  withLines?: boolean;
  /** Told which image is looked up; what it returns, when that is done and what went wrong. */
  onLookUp?: (reference: string) => (error?: string) => void;
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
      const end = source.onLookUp?.(reference);
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
  for (const { reference, imageId, context, remote } of plan.bases) {
    const now = await (context === undefined
      ? source.resolveImage(reference, remote ?? plan.platform)
      : source.resolveContext(context));
    if (now?.imageId !== imageId || (now.remote === undefined) !== (remote === undefined)) return false;
    if (context === undefined) source.onLookUp?.(reference)();
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
  ];
  return hash('sha256', JSON.stringify(parts), 'hex');
}

/** Guards against a plan for another machine: nothing here emulates yet. */
export function checkPlatform(platform: Platform, host: Platform): void {
  if (platform.os === host.os && platform.architecture === host.architecture) return;
  throw new SlipwayError(
    'unsupported',
    `this machine is ${host.os}/${host.architecture} and cannot build for ${platform.os}/${platform.architecture}`,
    { code: 'PLATFORM', hint: 'Building for other platforms is not there yet.' },
  );
}
