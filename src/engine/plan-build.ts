import { isMultiPlatform } from '../dockerfile/multi-platform.ts';
import { localPlatform } from '../image/platform.ts';
import type { Plan } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import { inputsOf } from '../solve/priorities.ts';
import type { Store } from '../store/store.ts';
import type { InternalVertices } from './internal-vertices.ts';
import { checkPlatform, makePlan, type PlanSource } from './make-plan.ts';
import type { BuildOptions } from './options.ts';
import type { BuildInput } from './sources/build-input.ts';
import type { BuildSources } from './sources/build-sources.ts';
import { wantedPlatforms } from './wanted-platforms.ts';
import type { WantedTarget } from './wanted-targets.ts';

/** What of a build its plan depends on. */
export interface PlanJob {
  options: BuildOptions;
  env: NodeJS.ProcessEnv;
  wanted: readonly WantedTarget[];
  store: Store;
  input: BuildInput;
  sources: BuildSources;
  internal: InternalVertices;
  emit: (event: BuildEvent) => void;
}

/** The plan of a build, of all platforms together. Errors as `makePlan`. */
export async function planBuild(job: PlanJob): Promise<Plan> {
  const { options, store, input, env } = job;
  const named = await job.sources.named();
  const host = localPlatform();
  const platforms = wantedPlatforms(options);
  const bases = job.sources.bases(job.emit);
  const epoch = env.SOURCE_DATE_EPOCH;
  const buildArgs = new Map(Object.entries(options.buildArgs ?? {}));
  if (epoch !== undefined && !buildArgs.has('SOURCE_DATE_EPOCH')) buildArgs.set('SOURCE_DATE_EPOCH', epoch);
  const several = platforms.length > 1 || isMultiPlatform(buildArgs);
  const common: Omit<PlanSource, 'platform'> = {
    file: input.file,
    text: input.text,
    ...stagesAskedFor(job),
    buildArgs,
    labels: new Map(Object.entries(options.labels ?? {})),
    buildPlatform: host,
    severalPlatforms: several,
    network: options.network ?? 'default',
    noCache: options.noCache ?? false,
    allow: options.allow ?? [],
    namedContexts: named?.planned() ?? new Map(),
    resolveContext: (name, platform) => job.sources.contextImage(name, platform),
    resolveImage: (reference, wanted) => bases.resolve(reference, wanted),
    asksRegistries: bases.asks,
    timeOf: (source) => job.sources.timeOf(source),
    unsetEnv: options.unsetEnv ?? [],
    unsetLabels: options.unsetLabels ?? [],
    ignoreSyntax: options.ignoreSyntax ?? false,
    withLines: options.lines ?? false,
    onLookUp: (reference, platform) => job.internal.metadata(reference, several ? platform : undefined),
  };
  const plans: Plan[] = [];
  for (const platform of platforms) {
    checkPlatform(platform, host);
    plans.push(await makePlan(store, { ...common, platform }));
  }
  const plan = several ? (await import('../plan/merge-platforms.ts')).mergePlatforms(plans) : plans[0]!;
  return options.timestamp === undefined ? plan : { ...plan, epoch: options.timestamp };
}

/** All steps at once, so that displays can count them. */
export function announcePlan(plan: Plan, emit: (event: BuildEvent) => void): void {
  const scratch = new Set<string>();
  for (const node of plan.nodes) {
    if (node.operation.kind === 'scratch') {
      scratch.add(node.id);
      continue;
    }
    emit({
      type: 'announced',
      vertex: node.id,
      name: `${node.label} ${node.title}`,
      inputs: inputsOf(node).filter((input) => !scratch.has(input)),
      internal: false,
      ...(node.range === undefined ? {} : { range: node.range }),
    });
  }
  for (const warning of plan.warnings) emit({ type: 'warning', ...warning });
}

/** One target alone is planned under its own name, so that its plan is found again however it was asked for. */
function stagesAskedFor({ options, wanted }: PlanJob): Pick<PlanSource, 'target' | 'targets' | 'allStages'> {
  const names = wanted.flatMap(({ stage }) => stage ?? []);
  return {
    target: names.at(-1),
    targets: names.length > 1 ? names : undefined,
    allStages: options.allStages,
  };
}
