import { setTimeout as sleep } from 'node:timers/promises';
import type PQueue from 'p-queue';
import { chainId, definitionDigest, stepKey } from '../cache/keys.ts';
import type { StepCache, StoredLayer } from '../cache/step-cache.ts';
import { SlipwayError } from '../errors/index.ts';
import type { Executor } from '../execute/executor.ts';
import type { NodeId, Plan, PlanNode } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import { inputsOf, remainingTimes } from './priorities.ts';
import {
  diffIdsOf,
  knownDiffIds,
  layerNames,
  type PreparedStep,
  type PrepareStep,
  type Snapshot,
  type SolvedLayer,
  solvedLayer,
} from './types.ts';

/** How often a build that waits for another process's step looks whether it is done. */
const CLAIM_POLL_MS = 30;

export interface SolveOptions {
  plan: Plan;
  cache: StepCache;
  prepare: PrepareStep;
  /** Starts the executor on first use. */
  executor: () => Promise<Executor>;
  onEvent: (event: BuildEvent) => void;
  signal: AbortSignal;
  /** Steps that run at the same time. */
  jobs: number;
  /** Seconds since 1970 to clamp times in new layers to. */
  clampMtime?: number | undefined;
}

export interface Solved {
  /** Snapshot of each node that was needed. */
  snapshots: Map<NodeId, Snapshot>;
  /** Steps that ran, and steps whose result was reused. */
  ran: number;
  reused: number;
}

/**
 * Brings a plan's target into being: every node that it needs is found in the cache or run, independent ones at
 * the same time, each once. A step starts as soon as its parent is frozen; digests follow in the background and
 * are all known when this resolves.
 *
 * The first failure cancels what is still running and is thrown once the results of what had finished are
 * recorded, so that the next build starts from there.
 */
export async function solve(options: SolveOptions): Promise<Solved> {
  const { plan, cache, onEvent } = options;
  const snapshots = new Map<NodeId, Promise<Snapshot>>();
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
  const background: Promise<unknown>[] = [];
  const running = new Map<string, Promise<SolvedLayer>>();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const queue = lazyQueue(options.jobs);
  const remaining = remainingTimes(plan, (name) => cache.duration(name));
  const counts = { ran: 0, reused: 0 };

  const snapshotOf = (id: NodeId): Promise<Snapshot> => {
    let promise = snapshots.get(id);
    if (!promise) {
      promise = evaluate(nodes.get(id)!);
      promise.catch((error: unknown) => stop.abort(error));
      snapshots.set(id, promise);
    }
    return promise;
  };

  const evaluate = async (node: PlanNode): Promise<Snapshot> => {
    const { operation } = node;
    if (operation.kind === 'scratch') return { layers: [] };
    if (operation.kind === 'image') {
      const stored = cache.layersOf(operation.diffIds);
      if (!stored) throw missingLayers(operation.reference);
      onEvent({ type: 'ended', vertex: node.id, time: Date.now(), outcome: 'cached' });
      return { layers: stored.map((layer) => solvedLayer(layer)) };
    }
    const [parent] = await Promise.all([
      snapshotOf(operation.parent),
      ...inputsOf(node).map((input) => snapshotOf(input)),
    ]);
    const inputs = new Map<string, Snapshot>();
    for (const id of node.dependencies) {
      const snapshot = await snapshotOf(id);
      await diffIdsOf(snapshot);
      inputs.set(id, snapshot);
    }
    signal.throwIfAborted();
    const prepared = await options.prepare(node, inputs).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      onEvent({ type: 'ended', vertex: node.id, time: Date.now(), outcome: 'failed', error: message });
      throw locate(error, node);
    });
    const definition = definitionDigest(prepared.parts);
    const layer = await layerOf({ node, parent, prepared, definition });
    return { layers: [...parent.layers, layer] };
  };

  const layerOf = async (work: StepWork): Promise<SolvedLayer> => {
    const found = await lookup(work);
    if (found) return found;
    // Two identical steps of one build, also of two platforms or targets, are one.
    const name = `${work.definition}:${layerNames(work.parent).join(',')}`;
    const same = running.get(name);
    if (same) {
      const layer = await same;
      onEvent({ type: 'ended', vertex: work.node.id, time: Date.now(), outcome: 'cached' });
      return layer;
    }
    const promise = claimAndRun(work, name);
    running.set(name, promise);
    return promise;
  };

  const lookup = async (work: StepWork): Promise<SolvedLayer | undefined> => {
    if (work.node.noCache) return undefined;
    let diffIds = knownDiffIds(work.parent);
    // Waiting for the parent's digest pays only where a record may be found with it (DESIGN, decision 4).
    if (!diffIds && cache.hasDefinition(work.definition)) diffIds = await diffIdsOf(work.parent);
    const record = diffIds && cache.lookup(stepKey(work.definition, chainId(diffIds)));
    if (!record) return undefined;
    counts.reused++;
    onEvent({ type: 'ended', vertex: work.node.id, time: Date.now(), outcome: 'cached' });
    return solvedLayer(record.layer, record.created);
  };

  /** Runs a step unless another process is at it; then its result is waited for. */
  const claimAndRun = async (work: StepWork, name: string): Promise<SolvedLayer> => {
    if (work.node.noCache) return run(work, () => {});
    while (!cache.claim(name)) {
      await sleep(CLAIM_POLL_MS, undefined, { signal });
    }
    const release = (): void => cache.release(name);
    try {
      const found = await lookup(work);
      if (found) {
        release();
        return found;
      }
    } catch (error) {
      release();
      throw error;
    }
    return run(work, release);
  };

  const run = async (work: StepWork, release: () => void): Promise<SolvedLayer> => {
    const { node } = work;
    try {
      const pqueue = await queue();
      const layer = await pqueue.add(() => execute(work, release), { priority: remaining.get(node.id) ?? 0, signal });
      return layer;
    } catch (error) {
      release();
      throw error;
    }
  };

  const execute = async (work: StepWork, release: () => void): Promise<SolvedLayer> => {
    const { node, parent, prepared } = work;
    const executor = await options.executor();
    const step = await prepared.step();
    const id = cache.allocateLayer();
    const started = Date.now();
    onEvent({ type: 'started', vertex: node.id, time: started });
    try {
      const result = await executor.execute(
        { step, parent: layerNames(parent), layer: id, clampMtime: options.clampMtime },
        {
          onLog: (stream, data) =>
            onEvent({ type: 'log', vertex: node.id, stream, data, time: Date.now() }),
        },
        signal,
      );
      const ended = Date.now();
      cache.noteDuration(node.title, ended - started);
      const created = new Date(ended).toISOString();
      const layer: SolvedLayer = { stack: [id], stored: undefined, digested: undefined as never, created };
      layer.digested = result.digest.then((digest) => {
        layer.stored = cache.completeLayer(id, digest);
        return layer.stored;
      });
      const recorded = record(work, layer, { created, durationMs: ended - started }).finally(release);
      // Whoever needs the digest sees its failure; here it only must not be unhandled.
      recorded.catch(() => {});
      background.push(recorded);
      counts.ran++;
      onEvent({ type: 'ended', vertex: node.id, time: ended, outcome: 'done' });
      return layer;
    } catch (error) {
      cache.abandonLayer(id);
      const canceled = signal.aborted && !(error instanceof SlipwayError && error.kind === 'step-failed');
      onEvent({
        type: 'ended',
        vertex: node.id,
        time: Date.now(),
        outcome: canceled ? 'canceled' : 'failed',
        ...(canceled ? {} : { error: error instanceof Error ? error.message : String(error) }),
      });
      throw locate(error, node);
    }
  };

  const record = async (
    work: StepWork,
    layer: SolvedLayer,
    times: { created: string; durationMs: number },
  ): Promise<void> => {
    const [stored, parentIds]: [StoredLayer, string[]] = await Promise.all([layer.digested, diffIdsOf(work.parent)]);
    const parentChain = chainId(parentIds);
    cache.record({
      key: stepKey(work.definition, parentChain),
      definition: work.definition,
      parentChain,
      diffId: stored.diffId,
      ...times,
      parts: work.prepared.parts,
    });
  };

  const target = plan.stages[plan.target]!;
  let failure: unknown;
  try {
    await diffIdsOf(await snapshotOf(target.result));
  } catch (error) {
    failure = error;
    // The first cause, not the cancellation that it brought to others.
    if (stop.signal.aborted && !options.signal.aborted) failure = stop.signal.reason;
  }
  await Promise.allSettled([...snapshots.values()]);
  if (!options.signal.aborted) await Promise.allSettled(background);
  if (failure !== undefined) throw failure;
  await Promise.all(background);
  const entries = await Promise.all([...snapshots].map(async ([id, promise]) => [id, await promise] as const));
  return { snapshots: new Map(entries), ...counts };
}

interface StepWork {
  node: PlanNode;
  parent: Snapshot;
  prepared: PreparedStep;
  definition: string;
}

/** A build that runs nothing does not load the queue. */
function lazyQueue(jobs: number): () => Promise<PQueue> {
  let queue: Promise<PQueue> | undefined;
  return () => {
    queue ??= import('p-queue').then((module) => new module.default({ concurrency: jobs }));
    return queue;
  };
}

/** Remembers at which instruction an error came up. */
function locate(error: unknown, node: PlanNode): unknown {
  if (error instanceof SlipwayError && node.range && !failedNodes.has(error)) failedNodes.set(error, node);
  return error;
}

const failedNodes = new WeakMap<SlipwayError, PlanNode>();

/** The node whose step threw this error, if one did. */
export function failedNode(error: unknown): PlanNode | undefined {
  return error instanceof SlipwayError ? failedNodes.get(error) : undefined;
}

function missingLayers(reference: string): SlipwayError {
  return new SlipwayError('corrupt', `layers of the image ${reference} are missing from the store`, {
    code: 'LAYERS_MISSING',
    hint: 'Import or load the image again.',
  });
}
