import { setTimeout as sleep } from 'node:timers/promises';
import type PQueue from 'p-queue';
import type { CacheBackend, StoredLayer } from '../cache/cache-backend.ts';
import { chainId, stepKey } from '../cache/keys.ts';
import { SlipwayError } from '../errors/index.ts';
import type { ExecuteHooks, Executor } from '../execute/executor.ts';
import type { NodeId, PlanNode } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import { markFailed } from './failed-node.ts';
import {
  diffIdsOf,
  knownDiffIds,
  layerNames,
  type PreparedStep,
  type Snapshot,
  type SolvedLayer,
  solvedLayer,
} from './types.ts';

/** How often a build that waits for another process's step looks whether it is done. */
const CLAIM_POLL_MS = 30;

export interface StepRunnerOptions {
  cache: CacheBackend;
  /** Starts the executor on first use. */
  executor: () => Promise<Executor>;
  onEvent: (event: BuildEvent) => void;
  signal: AbortSignal;
  /** Speaks to the build's ssh agents for steps that mount one. */
  askAgent?: ExecuteHooks['askAgent'];
  /** Steps that run at the same time. */
  jobs: number;
  /** Milliseconds that the build still takes from a node on: the longest goes first. */
  priorities: Map<NodeId, number>;
  /** Seconds since 1970 to clamp times in new layers to. */
  clampMtime?: number | undefined;
}

/** A step that is ready: its parent is there, its key can be made. */
export interface StepWork {
  node: PlanNode;
  parent: Snapshot;
  prepared: PreparedStep;
  definition: string;
}

/** Finds the results of steps in the cache or makes them, each once, as many at a time as is allowed. */
export class StepRunner {
  readonly #options: StepRunnerOptions;
  readonly #running = new Map<string, Promise<SolvedLayer>>();
  readonly #records: Promise<void>[] = [];
  #queue: Promise<PQueue> | undefined;
  ran = 0;
  reused = 0;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
  }

  /** The layer that a step makes. Rejects as `Executor.execute`. */
  async layerOf(work: StepWork): Promise<SolvedLayer> {
    const found = await this.#lookup(work);
    if (found) return found;
    // Two identical steps of one build, also of two platforms or targets, are one.
    const name = `${work.definition}:${layerNames(work.parent).join(',')}`;
    const same = this.#running.get(name);
    if (same !== undefined) {
      const layer = await same;
      this.#end(work.node, 'cached');
      return layer;
    }
    const promise = this.#claimAndRun(work, name);
    this.#running.set(name, promise);
    return promise;
  }

  /** Resolves when the results of all steps that ran are digested and recorded; rejects if one could not be. */
  async recorded(): Promise<void> {
    await Promise.allSettled(this.#records);
    await Promise.all(this.#records);
  }

  async #lookup(work: StepWork): Promise<SolvedLayer | undefined> {
    const { cache } = this.#options;
    if (work.node.noCache) return undefined;
    let diffIds = knownDiffIds(work.parent);
    // Waiting for the parent's digest pays only where a record may be found with it (DESIGN, decision 4).
    if (!diffIds && cache.hasDefinition(work.definition)) diffIds = await diffIdsOf(work.parent);
    const record = diffIds && cache.lookup(stepKey(work.definition, chainId(diffIds)));
    if (!record) return undefined;
    this.reused++;
    this.#end(work.node, 'cached');
    return solvedLayer(record.layer, record.created);
  }

  /** Runs a step unless another process is at it; then its result is waited for. */
  async #claimAndRun(work: StepWork, name: string): Promise<SolvedLayer> {
    const { cache, signal } = this.#options;
    if (work.node.noCache) return this.#enqueue(work, () => {});
    while (!cache.claim(name)) await sleep(CLAIM_POLL_MS, undefined, { signal });
    const release = (): void => cache.release(name);
    try {
      const found = await this.#lookup(work);
      if (!found) return await this.#enqueue(work, release);
      release();
      return found;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #enqueue(work: StepWork, release: () => void): Promise<SolvedLayer> {
    const { jobs, priorities, signal } = this.#options;
    // A build that runs nothing does not load the queue.
    this.#queue ??= import('p-queue').then((module) => new module.default({ concurrency: jobs }));
    const queue = await this.#queue;
    const priority = priorities.get(work.node.id) ?? 0;
    return queue.add(() => this.#execute(work, release), { priority, signal });
  }

  async #execute(work: StepWork, release: () => void): Promise<SolvedLayer> {
    const { cache, onEvent, signal, clampMtime, askAgent } = this.#options;
    const { node, parent, prepared } = work;
    const executor = await this.#options.executor();
    const step = await prepared.step().catch((error: unknown) => {
      this.#end(node, 'failed', error);
      throw markFailed(error, node);
    });
    const id = cache.allocateLayer();
    const started = Date.now();
    onEvent({ type: 'started', vertex: node.id, time: started });
    try {
      const result = await executor.execute(
        { step, parent: layerNames(parent), layer: id, clampMtime },
        {
          onLog: (stream, data) => onEvent({ type: 'log', vertex: node.id, stream, data, time: Date.now() }),
          ...(askAgent && { askAgent }),
        },
        signal,
      );
      // Handled below, but for what may throw before that: a full disk.
      result.digest.catch(() => {});
      const durationMs = Date.now() - started;
      cache.noteDuration(node.title, durationMs);
      const created = new Date().toISOString();
      const digested = result.digest.then((digest) => {
        layer.stored = cache.completeLayer(id, digest);
        return layer.stored;
      });
      const layer: SolvedLayer = { stack: [id], stored: undefined, digested, created };
      const recorded = this.#record(work, layer, { created, durationMs }).finally(release);
      // Whoever needs the digest sees its failure; here it only must not be unhandled.
      recorded.catch(() => {});
      this.#records.push(recorded);
      this.ran++;
      this.#end(node, 'done');
      return layer;
    } catch (error) {
      cache.abandonLayer(id);
      if (signal.aborted && !(error instanceof SlipwayError && error.kind === 'step-failed')) {
        this.#end(node, 'canceled');
      } else {
        this.#end(node, 'failed', error);
      }
      throw markFailed(error, node);
    }
  }

  async #record(
    work: StepWork,
    layer: SolvedLayer,
    times: { created: string; durationMs: number },
  ): Promise<void> {
    const [stored, parentIds]: [StoredLayer, string[]] = await Promise.all([
      layer.digested,
      diffIdsOf(work.parent),
    ]);
    const parentChain = chainId(parentIds);
    this.#options.cache.record({
      key: stepKey(work.definition, parentChain),
      definition: work.definition,
      parentChain,
      diffId: stored.diffId,
      ...times,
      parts: work.prepared.parts,
    });
  }

  #end(node: PlanNode, outcome: 'done' | 'cached' | 'failed' | 'canceled', error?: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#options.onEvent({
      type: 'ended',
      vertex: node.id,
      time: Date.now(),
      outcome,
      ...(outcome === 'failed' ? { error: message } : {}),
    });
  }
}
