import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheBackend, StoredLayer } from '../cache/cache-backend.ts';
import { chainId, stepKey } from '../cache/keys.ts';
import { SlipwayError } from '../errors/index.ts';
import type { ExecuteHooks, ExecuteRequest, Executor } from '../execute/executor.ts';
import type { NodeId, PlanNode } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import { completeCopy, copyBases } from './copy-bases.ts';
import { isLost, markFailed } from './failed-node.ts';
import { expectedMemory } from './priorities.ts';
import { Slots } from './slots.ts';
import type { StepIdentity, StepObserver } from './step-observer.ts';
import {
  diffIdsOf,
  fetched,
  knownDiffIds,
  layerNames,
  type PreparedStep,
  type Snapshot,
  type SolvedLayer,
  solvedLayer,
} from './types.ts';

/** How often a build that waits for another process's step looks whether it is done: at first, and later. */
const FIRST_POLL_MS = 5;
const LONGEST_POLL_MS = 100;

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
  /** Bytes of memory that running steps may be expected to need together; undefined is no limit. */
  memoryBudget?: number | undefined;
  /** Milliseconds that the build still takes from a node on: the longest goes first. */
  priorities: Map<NodeId, number>;
  /** Nodes whose files others look at. */
  read: ReadonlySet<NodeId>;
  observer?: StepObserver | undefined;
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

/** A claim that is made once its key is known, unless it is too late for it. */
interface LateClaim {
  key: string | undefined;
  over: boolean;
}

/** Finds the results of steps in the cache or makes them, each once, as many at a time as is allowed. */
export class StepRunner {
  readonly #options: StepRunnerOptions;
  readonly #running = new Map<string, { node: NodeId; layer: Promise<SolvedLayer> }>();
  readonly #records: Promise<void>[] = [];
  readonly #slots: Slots;
  ran = 0;
  reused = 0;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
    this.#slots = new Slots(options);
  }

  /** The layer that a step makes. Rejects as `Executor.execute`. */
  async layerOf(work: StepWork): Promise<SolvedLayer> {
    const found = await this.#lookup(work);
    if (found) return found;
    // Two identical steps of one build, also of two platforms or targets, are one.
    const name = `${work.definition}:${layerKeys(work.parent).join(',')}`;
    const same = this.#running.get(name);
    if (same !== undefined) {
      const layer = await same.layer;
      this.#options.observer?.merged(work.node, same.node);
      this.#end(work.node, 'cached');
      return layer;
    }
    const promise = this.#runOnce(work);
    this.#running.set(name, { node: work.node.id, layer: promise });
    return promise;
  }

  /** Resolves when the results of all steps that ran are digested and recorded; rejects if one could not be. */
  async recorded(): Promise<void> {
    await Promise.allSettled(this.#records);
    await Promise.all(this.#records);
  }

  async #lookup(work: StepWork): Promise<SolvedLayer | undefined> {
    if (work.node.noCache) return undefined;
    const { cache } = this.#options;
    const known = this.#recordedLayer(work);
    if (known !== undefined) return known;
    const parentIsOpen = knownDiffIds(work.parent) === undefined;
    // Nothing could answer otherwise now.
    if (cache.ready === undefined && !parentIsOpen) return undefined;
    await cache.ready?.();
    // Waiting for the parent's digest pays only where a record may be found with it (DESIGN, decision 4).
    if (parentIsOpen && cache.hasDefinition(work.definition)) await diffIdsOf(work.parent);
    return this.#recordedLayer(work);
  }

  #recordedLayer(work: StepWork): SolvedLayer | undefined {
    const identity = identityOf(work);
    const record = identity && this.#options.cache.lookup(identity.key);
    if (!record) return undefined;
    this.reused++;
    this.#options.observer?.reused(work.node, identity!, record);
    this.#end(work.node, 'cached');
    const layer = solvedLayer(record.layer, record.created);
    if (record.remote === true) layer.fetch = (snapshot) => bring(this.#options.cache, snapshot);
    return layer;
  }

  /** Runs a step in a slot, unless another process is at it: then that one's result is waited for, without a slot. */
  async #runOnce(work: StepWork): Promise<SolvedLayer> {
    const { cache, priorities, signal } = this.#options;
    const request = {
      priority: priorities.get(work.node.id) ?? 0,
      memory: expectedMemory(work.node, (name) => cache.lastRun(name)),
    };
    for (;;) {
      const layer = await this.#slots.run(request, async () => {
        signal.throwIfAborted();
        return this.#attempt(work);
      });
      if (layer) return layer;
      const key = keyOf(work)!;
      for (let wait = FIRST_POLL_MS; cache.isClaimed(key); wait = Math.min(wait * 2, LONGEST_POLL_MS))
        await sleep(wait, undefined, { signal });
      const found = await this.#lookup(work);
      if (found) return found;
    }
  }

  /**
   * Undefined when another process runs the step. A key without the parent's digest cannot be claimed and need not
   * be: no other process can have that parent before its step is recorded, and the claim is made before that.
   */
  async #attempt(work: StepWork): Promise<SolvedLayer | undefined> {
    if (work.node.noCache) return this.#execute(work);
    const { cache } = this.#options;
    const key = keyOf(work);
    if (key !== undefined && !cache.claim(key)) return undefined;
    const claim: LateClaim = { key, over: false };
    if (key === undefined) this.#claimLater(work, claim);
    const release = (): void => {
      claim.over = true;
      if (claim.key !== undefined) cache.release(claim.key);
    };
    try {
      // It may have been recorded since it was looked up.
      const found = this.#recordedLayer(work);
      if (!found) return await this.#execute(work, release);
      release();
      return found;
    } catch (error) {
      release();
      throw error;
    }
  }

  #claimLater(work: StepWork, claim: LateClaim): void {
    for (const layer of work.parent.layers) {
      layer.onStored?.push(() => {
        const key = keyOf(work);
        if (key === undefined || claim.key !== undefined || claim.over) return;
        if (this.#options.cache.claim(key)) claim.key = key;
      });
    }
  }

  async #execute(work: StepWork, release = (): void => {}): Promise<SolvedLayer> {
    const { cache, onEvent, signal, clampMtime, askAgent } = this.#options;
    const { node, parent, prepared } = work;
    const executor = await this.#options.executor();
    await fetched(parent);
    const step = await prepared.step().catch((error: unknown) => {
      if (isLost(error)) throw error;
      this.#end(node, 'failed', error);
      throw markFailed(error, node);
    });
    this.#options.observer?.executing(node, step);
    const id = cache.allocateLayer();
    const started = Date.now();
    onEvent({ type: 'started', vertex: node.id, time: started });
    try {
      const request: ExecuteRequest = {
        step,
        parent: layerNames(parent),
        layer: id,
        clampMtime,
        // What a COPY brings has digests anyway.
        isRead: step.kind !== 'run' || this.#options.read.has(node.id),
        bases: node.noCache ? [] : copyBases(cache, step, work),
      };
      const hooks: ExecuteHooks = {
        onLog: (stream, data) => onEvent({ type: 'log', vertex: node.id, stream, data, time: Date.now() }),
        ...(askAgent && { askAgent }),
        onWarning: (code, message) => onEvent({ type: 'warning', vertex: node.id, code, message }),
      };
      const result = await executor.execute(request, hooks, signal);
      // Handled below, but for what may throw before that: a full disk.
      result.digest.catch(() => {});
      const durationMs = Date.now() - started;
      cache.noteRun(node.title, { durationMs, peakMemory: result.peakMemory });
      const created = new Date().toISOString();
      const inFull = (again: string) =>
        executor.execute({ ...request, layer: again, bases: [] }, hooks, signal);
      const digested = completeCopy({ cache, id, result, parent, inFull }).then((stored) => {
        layer.stored = stored;
        for (const call of onStored) call();
        return layer.stored;
      });
      const onStored: (() => void)[] = [];
      const stack = [...(result.base?.stack ?? []), id];
      const layer: SolvedLayer = { stack, stored: undefined, digested, created, onStored };
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
    const { definition } = work;
    const identity = { key: stepKey(definition, parentChain), definition, parentChain };
    this.#options.observer?.recorded(work.node, identity, stored, times);
    this.#options.cache.record({
      ...identity,
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

/** Brings all layers of a snapshot that an imported cache has, at once. */
async function bring(cache: CacheBackend, { layers }: Snapshot): Promise<void> {
  const chain = await Promise.all(layers.map((layer) => layer.stored ?? layer.digested));
  const stored = await cache.bring!(chain);
  for (const [index, layer] of layers.entries()) {
    if (layer.stack.length > 0) continue;
    const { created } = layer;
    Object.assign(layer, solvedLayer(stored[index]!, created), { fetch: undefined });
  }
}

/** What a step whose parent's digests are known is looked up under. */
function identityOf({ definition, parent }: StepWork): StepIdentity | undefined {
  const diffIds = knownDiffIds(parent);
  if (!diffIds) return undefined;
  const parentChain = chainId(diffIds);
  return { key: stepKey(definition, parentChain), definition, parentChain };
}

function keyOf(work: StepWork): string | undefined {
  return identityOf(work)?.key;
}

/** What tells the layers of a snapshot from others: those that are in no directory yet have a digest. */
function layerKeys({ layers }: Snapshot): string[] {
  return layers.map(({ stack, stored }) => (stack.length > 0 ? stack.join(',') : stored!.diffId));
}
