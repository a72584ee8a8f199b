import { availableParallelism } from 'node:os';
import { chainId } from '../cache/keys.ts';
import { storeCache } from '../cache/store-cache.ts';
import { parseGoBoolean } from '../dockerfile/go-text.ts';
import { SlipwayError } from '../errors/index.ts';
import type { Executor } from '../execute/executor.ts';
import { NO_ISOLATION_WARNING } from '../execute/isolation.ts';
import { localExecutor } from '../execute/local-executor.ts';
import type { ImageConfig } from '../image/types.ts';
import type { Plan } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import { BuildRecorder } from '../record/recorder.ts';
import { buildsAreDue, tidyBuilds } from '../record/retention.ts';
import { type Solved, solve } from '../solve/solve.ts';
import { fetched, type Snapshot } from '../solve/types.ts';
import { getContent, putContent } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { type AssembledImage, assembleImage } from './assemble-image.ts';
import { buildSubject } from './build-subject.ts';
import { deliverTarget, isStored, type PlatformImage, type TargetResult } from './deliver-target.ts';
import { InternalVertices } from './internal-vertices.ts';
import type { LineImages } from './line-images.ts';
import { openStoreForWork } from './open-store.ts';
import type { BuildOptions, BuildResult, BuiltImage } from './options.ts';
import { announcePlan, planBuild } from './plan-build.ts';
import { stepPreparer } from './prepare-step.ts';
import { Secrets } from './secrets.ts';
import { storeContents } from './selected-contents.ts';
import { StoreSession } from './session.ts';
import { snapshotTree } from './snapshot-tree.ts';
import type { BuildInput } from './sources/build-input.ts';
import { BuildSources } from './sources/build-sources.ts';
import { SshAgents } from './ssh/agents.ts';
import type { BuildTravel } from './travel/build-travel.ts';
import { wantedPlatforms } from './wanted-platforms.ts';
import { type WantedTarget, wantedTargets } from './wanted-targets.ts';

/**
 * Builds an image from a Dockerfile and a context, as `docker build` does, and puts it into the store and wherever
 * `outputs` say.
 *
 * Throws `SlipwayError`: `syntax` and `invalid` with the place in the Dockerfile, `not-found` for a missing context,
 * file, image or stage, `step-failed` with the exit code of a RUN, `canceled` when `signal` aborts. Whatever it
 * throws, no process and no mount is left, nothing half-written has a name, and the results of finished steps are
 * kept for the next build.
 */
export async function build(options: BuildOptions): Promise<BuildResult> {
  const env = options.env ?? process.env;
  const signal = options.signal ?? new AbortController().signal;
  const emit = (event: BuildEvent): void => options.progress?.event(event);
  try {
    return await buildInStore({ options, env, signal, wanted: wantedTargets(options), emit });
  } finally {
    await options.progress?.close();
  }
}

/** What a build is asked for. */
interface BuildTask {
  options: BuildOptions;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** What is to come out of it; at least one. */
  wanted: WantedTarget[];
  emit: (event: BuildEvent) => void;
}

async function buildInStore(task: BuildTask): Promise<BuildResult> {
  const { options, env, signal } = task;
  using store = openStoreForWork({ root: options.root, env, isolation: options.isolation });
  const recorder = new BuildRecorder({
    root: store.root,
    subject: buildSubject(options, task.wanted),
    tags: task.wanted.flatMap(({ tags }) => tags),
  });
  options.onStart?.(recorder.id);
  const emit = (event: BuildEvent): void => {
    recorder.event(event);
    task.emit(event);
  };
  const record = async (end: { imageId?: string; error?: unknown }): Promise<void> => {
    await recorder.finish(end);
    try {
      if (buildsAreDue(store.root)) tidyBuilds(store);
    } catch {
      // The build's result counts; the next one tidies up.
    }
  };
  try {
    const result = await buildFromInput({ ...task, emit, store, recorder });
    await record({ imageId: result.imageId });
    return result;
  } catch (cause) {
    const error = signal.aborted ? canceled(cause) : cause;
    await record({ error });
    throw error;
  }
}

async function buildFromInput(
  task: BuildTask & { store: Store; recorder: BuildRecorder },
): Promise<BuildResult> {
  const { options, env, signal, store, emit } = task;
  const cwd = options.cwd ?? process.cwd();
  const secrets = await Secrets.open(options.secrets ?? {}, { env, cwd, signal });
  using agents = SshAgents.open(options.ssh ?? {}, { env, cwd });
  const sources = new BuildSources({ options, store, env, secrets, agents, emit, signal, build });
  let input: BuildInput | undefined;
  let travel: BuildTravel | undefined;
  try {
    const internal = new InternalVertices(options.progress);
    const since = Date.now();
    const opened = await sources.open();
    input = opened;
    internal.definition(opened, since);
    travel = await travelOf(task);
    return await whileLayersStay(signal, () =>
      runBuild({ ...task, input: opened, sources, secrets, agents, travel, internal }),
    );
  } catch (error) {
    if (input === undefined) throw error;
    throw (await import('./error-place.ts')).placed(error, input);
  } finally {
    await sources.close();
    await travel?.close();
  }
}

/** Nothing of it is loaded unless it is asked for. */
async function travelOf(task: BuildTask & { store: Store }): Promise<BuildTravel | undefined> {
  const { options } = task;
  const { cacheFrom = [], cacheTo = [], buildArgs } = options;
  const asksInline = parseGoBoolean(buildArgs?.BUILDKIT_INLINE_CACHE ?? '') === true;
  if (cacheFrom.length === 0 && cacheTo.length === 0 && !asksInline) return undefined;
  const { BuildTravel } = await import('./travel/build-travel.ts');
  const to = asksInline ? [...cacheTo, { type: 'inline' as const }] : cacheTo;
  return new BuildTravel({ ...task, to, platform: wantedPlatforms(options)[0]! });
}

/** Results that nobody holds may be collected while a build looks at them, until it has a lease. */
const ATTEMPTS = 3;

/** Whether the layers of a target's image are read or put into the store. */
function keepsLayers(options: BuildOptions, { tags, outputs }: WantedTarget): boolean {
  return options.squash !== undefined || outputs.length > 0 || isStored(options, { tags, outputs });
}

/** A build that lost a race against a collection begins again; what it has run by then is found. */
async function whileLayersStay(signal: AbortSignal, run: () => Promise<BuildResult>): Promise<BuildResult> {
  for (let attempt = 1; ; ) {
    try {
      return await run();
    } catch (error) {
      const code = error instanceof SlipwayError ? error.code : '';
      // Each time there is less in the imported caches.
      if (code === 'CACHE_LAYER_LOST' && !signal.aborted) continue;
      const lost = code === 'LAYERS_MISSING' || code === 'LAYER_GONE';
      if (!lost || attempt === ATTEMPTS || signal.aborted) throw error;
      attempt++;
    }
  }
}

interface BuildJob extends BuildTask {
  store: Store;
  recorder: BuildRecorder;
  input: BuildInput;
  sources: BuildSources;
  secrets: Secrets;
  agents: SshAgents;
  travel: BuildTravel | undefined;
  internal: InternalVertices;
}

async function runBuild(job: BuildJob): Promise<BuildResult> {
  const { options, store, emit, travel } = job;
  const plan = await planBuild(job);
  job.recorder.plan(plan);
  job.internal.ignoreFile(job.input.context);
  announcePlan(plan, emit);
  const own = storeCache({ store, buildId: job.recorder.id, lease: () => session.lease() });
  const session: StoreSession = new StoreSession({
    store,
    env: job.env,
    runtime: options.runtime ?? 'auto',
    isolation: options.isolation,
    early: options.early,
    inheritStdio: job.wanted.some(({ outputs }) =>
      outputs.some((output) => output.type !== 'registry' && output.dest === '-'),
    ),
    onLease: () => own.hold(),
  });
  const { cache, observer, contents, fillMounts } = travel?.attempt(own, session, job.recorder) ?? {
    cache: own,
    observer: job.recorder,
    contents: storeContents(store),
    fillMounts: undefined,
  };
  session.killAfterAbort(job.signal);
  let warned = false;
  const executor = async (): Promise<Executor> => {
    const worker = await session.worker();
    if (worker.isolation.tier === 'none' && !warned) {
      warned = true;
      emit({ type: 'warning', code: 'ISOLATION_NONE', message: NO_ISOLATION_WARNING });
    }
    return localExecutor(worker);
  };
  const clampMtime = options.rewriteTimestamp === false ? undefined : plan.epoch;
  const lineImages = options.lines
    ? new (await import('./line-images.ts')).LineImages({
        plan,
        store,
        tree: (await job.sources.context(undefined)).tree,
        emit,
      })
    : undefined;
  try {
    const solved = await solve({
      plan,
      cache,
      prepare: stepPreparer({
        context: (name) => job.sources.context(name),
        loading: (name, select) => job.internal.context(name, select),
        fetched: () => job.sources.fetched(),
        remembered: {
          get: (identity) => getContent(store, 'commit', identity),
          put: (identity, digest) => putContent(store, 'commit', identity, digest),
        },
        treeOf: (snapshot) => snapshotTree(store, snapshot, () => session.worker()),
        contents: {
          get: (snapshot, selector) => contents.get(knownChain(snapshot), selector),
          put: (snapshot, selector, digest) => contents.put(knownChain(snapshot), selector, digest),
          check: async (snapshot, selector, digest) =>
            contents.check?.(knownChain(snapshot), selector, digest),
        },
        platformOf: (node) => plan.stages[node.stage]!.platform,
        epoch: clampMtime,
        normalizeModes: options.normalizeModes,
        secretsOf: (operation) => job.secrets.of(operation),
        agentsOf: (operation) => job.agents.of(operation),
        fillMounts,
        expectRun: (when) => {
          const ready = session.worker().then(({ client }) => when === 'soon' && client.call('warm', {}));
          // Whoever needs it hears why there is none.
          ready.catch(() => {});
        },
        settings: options.steps ?? {},
        signal: job.signal,
      }),
      executor,
      fetchImage: (operation, vertex) => job.sources.bases(emit).fetch(operation, { vertex, session }),
      onEvent: emit,
      observer,
      onSnapshot: lineImages && ((node, snapshot) => lineImages.snapshot(node, fetched(snapshot))),
      askAgent: (id, message) => job.agents.request(id, message),
      signal: job.signal,
      jobs: options.jobs ?? availableParallelism(),
      memoryBudget: options.memoryBudget,
      clampMtime,
    });
    const results: TargetResult[] = [];
    let wrote = solved.ran > 0;
    const imageOf = async (target: WantedTarget, stageIndex: number): Promise<AssembledImage> => {
      const stage = plan.stages[stageIndex]!;
      const snapshot = solved.snapshots.get(stage.result)!;
      if (keepsLayers(options, target)) await fetched(snapshot);
      const kind = options.squash;
      const work = { plan, stage, snapshot, cache, executor, clampMtime, signal: job.signal };
      const squashed = kind && (await (await import('./squash.ts')).squashStage({ ...work, kind }));
      wrote ||= squashed?.ran === true;
      return assembleImage(store, plan, stageIndex, solved.snapshots, {
        squashed,
        extra: travel?.inline(),
      });
    };
    for (const [index, target] of job.wanted.entries()) {
      const stageIndex = plan.targets?.[index] ?? plan.target;
      const name = plan.stages[stageIndex]!.displayName;
      const variants: PlatformImage[] = [];
      for (const { platform, targets } of plan.platforms ?? [])
        variants.push({ platform, image: await imageOf(target, targets[index]!) });
      const image = variants[0]?.image ?? (await imageOf(target, stageIndex));
      results.push({ ...target, name, image, ...(plan.platforms && { variants }) });
    }
    if (wrote) {
      await (await session.worker()).client.call('sync', {});
      cache.markDurable();
    }
    if (lineImages) {
      await lineImages.announced();
      lineImages.keep();
    }
    for (const result of results) {
      Object.assign(result, await deliverTarget(result, { job, plan, session }));
    }
    cache.touch();
    travel?.keepForeign(own);
    const result = resultOf(job, { plan, results, solved });
    await options.onResult?.(result);
    await travel?.export(
      session,
      new Set(
        results.flatMap(({ image, variants }) =>
          (variants ?? [{ image }]).flatMap((one) => one.image.diffIds),
        ),
      ),
    );
    if (solved.ran > 0) await cleanUp(job, session);
    return result;
  } catch (error) {
    if (lineImages) await keepLines(lineImages, session).catch(() => {});
    travel?.keepForeign(own);
    throw error;
  } finally {
    await session.close();
  }
}

/** What a failed build got to is there to be looked into. */
async function keepLines(lineImages: LineImages, session: StoreSession): Promise<void> {
  await (await session.worker()).client.call('sync', {});
  lineImages.keep();
}

/** Its failure is none of the build: the image is there. But settings that make no sense are said. */
async function cleanUp(job: BuildJob, session: StoreSession): Promise<void> {
  const { collectWhenDue } = await import('./collect-when-due.ts');
  try {
    await collectWhenDue(job.store, session, job.env);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    job.emit({ type: 'warning', code: 'GC_FAILED', message });
  }
}

function resultOf(job: BuildJob, done: { plan: Plan; results: TargetResult[]; solved: Solved }): BuildResult {
  const { plan, results, solved } = done;
  const images = results.map((target) => builtImage(target, isStored(job.options, target)));
  const { imageId, tags } = images.at(-1)!;
  return {
    buildId: job.recorder.id,
    imageId,
    tags,
    images,
    warnings: plan.warnings,
    unusedBuildArgs: plan.unusedBuildArgs.toSorted(),
    ran: solved.ran,
    reused: solved.reused,
    stages: plan.stages.map((stage) => ({
      name: stage.displayName,
      size: sizeOf(solved.snapshots.get(stage.result)),
    })),
  };
}

function builtImage(target: TargetResult, stored: boolean): BuiltImage {
  const { name, image, tags, manifest, index, variants } = target;
  const { created } = JSON.parse(image.config.bytes.toString('utf8')) as ImageConfig;
  return {
    stage: name,
    ...(manifest === undefined ? {} : { manifest }),
    imageId: image.config.digest,
    ...(index === undefined ? {} : { index }),
    ...(variants && {
      variants: variants.map(({ platform, image }) => ({ platform, imageId: image.config.digest })),
    }),
    tags: [...tags],
    platform: image.platform,
    ...(created === undefined ? {} : { created }),
    stored,
  };
}

function sizeOf(snapshot: Snapshot | undefined): number {
  return (snapshot?.layers ?? []).reduce((sum, layer) => sum + (layer.stored?.size ?? 0), 0);
}

/** Chain id of a snapshot whose digests are known: they are, before anything is selected from it. */
function knownChain(snapshot: Snapshot): string {
  return chainId(snapshot.layers.map((layer) => layer.stored!.diffId));
}

function canceled(cause: unknown): SlipwayError {
  return new SlipwayError('canceled', 'the build was canceled', { code: 'CANCELED', cause });
}
