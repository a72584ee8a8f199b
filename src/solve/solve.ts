import { definitionDigest } from '../cache/keys.ts';
import { SlipwayError } from '../errors/index.ts';
import type { ImageOperation, NodeId, Plan, PlanNode } from '../plan/types.ts';
import { isLost, markFailed } from './failed-node.ts';
import { inputsOf, remainingTimes } from './priorities.ts';
import { readNodes } from './read-nodes.ts';
import { StepRunner, type StepRunnerOptions } from './step-runner.ts';
import {
  diffIdsOf,
  type PreparedStep,
  type PrepareStep,
  type Snapshot,
  type SolvedLayer,
  solvedLayer,
} from './types.ts';

export interface SolveOptions extends Omit<StepRunnerOptions, 'priorities' | 'read'> {
  plan: Plan;
  prepare: PrepareStep;
  /** Brings the layers of an image that is not in the store into it; their snapshot is used before that. */
  fetchImage?: ((operation: ImageOperation, node: NodeId) => Promise<void>) | undefined;
  /** Told of every node's snapshot as soon as it is there; its digests may still be on their way. */
  onSnapshot?: ((node: NodeId, snapshot: Snapshot) => void) | undefined;
}

export interface Solved {
  /** Snapshot of each node that was needed. */
  snapshots: Map<NodeId, Snapshot>;
  /** Steps that ran, and steps whose result was reused. */
  ran: number;
  reused: number;
}

/**
 * Brings a plan's targets into being: every node that it needs is found in the cache or run, independent ones at
 * the same time, each once. A step starts as soon as its parent is frozen; digests follow in the background and
 * are all known when this resolves.
 *
 * The first failure cancels what is still running and is thrown once the results of what had finished are
 * recorded, so that the next build starts from there.
 */
export async function solve(options: SolveOptions): Promise<Solved> {
  const { plan, cache, onEvent } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const priorities = remainingTimes(plan, (name) => cache.lastRun(name));
  const runner = new StepRunner({ ...options, signal, priorities, read: readNodes(plan) });
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
  const snapshots = new Map<NodeId, Promise<Snapshot>>();
  const unused = new Set<NodeId>();

  const snapshotOf = (id: NodeId): Promise<Snapshot> => {
    let promise = snapshots.get(id);
    if (!promise) {
      promise = evaluate(nodes.get(id)!);
      promise.then(
        (snapshot) => options.onSnapshot?.(id, snapshot),
        (error: unknown) => stop.abort(error),
      );
      snapshots.set(id, promise);
    }
    return promise;
  };

  const evaluate = async (node: PlanNode): Promise<Snapshot> => {
    const { operation } = node;
    if (operation.kind === 'scratch') return { layers: [] };
    if (operation.kind === 'image') {
      const stored = cache.layersOf(operation.diffIds);
      if (!stored && operation.remote === true) return remoteSnapshot(node, operation);
      if (!stored) throw missingLayers(operation.reference);
      onEvent({ type: 'ended', vertex: node.id, time: Date.now(), outcome: 'cached' });
      return { layers: stored.map((layer) => solvedLayer(layer)) };
    }
    const parentSnapshot = snapshotOf(operation.parent);
    // A layer that does not depend on what is below it need not wait for that (SPEC 1.11, --link).
    const independent = operation.kind === 'copy' && operation.link;
    await Promise.all((independent ? node.dependencies : inputsOf(node)).map(snapshotOf));
    const parent = independent ? { layers: [] } : await parentSnapshot;
    const inputs = new Map<string, Snapshot>();
    for (const id of node.dependencies) {
      const snapshot = await snapshotOf(id);
      await diffIdsOf(snapshot);
      inputs.set(id, snapshot);
    }
    signal.throwIfAborted();
    const prepared = await prepare(node, inputs);
    const definition = definitionDigest(prepared.parts);
    options.observer?.prepared(node, { parts: prepared.parts, definition });
    const layer = await runner.layerOf({ node, parent, prepared, definition });
    return { layers: [...(await parentSnapshot).layers, layer] };
  };

  /** Layers that nobody may ever need: their digests are known, and that is enough to find results over them. */
  const remoteSnapshot = (node: PlanNode, operation: ImageOperation): Snapshot => {
    let fetching: Promise<void> | undefined;
    const fetch = async (): Promise<void> => {
      await options.fetchImage!(operation, node.id).catch((error: unknown) => {
        throw markFailed(error, node);
      });
      const stored = cache.layersOf(operation.diffIds);
      if (!stored) throw missingLayers(operation.reference);
      for (const [index, layer] of stored.entries()) {
        Object.assign(layers[index]!, { ...solvedLayer(layer), fetch: undefined });
      }
    };
    unused.add(node.id);
    const layers = operation.diffIds.map(
      (diffId): SolvedLayer => ({
        ...solvedLayer({ stack: [], diffId, size: 0 }),
        fetch: () => {
          unused.delete(node.id);
          fetching ??= fetch();
          return fetching;
        },
      }),
    );
    return { layers };
  };

  const prepare = async (node: PlanNode, inputs: Map<string, Snapshot>): Promise<PreparedStep> => {
    try {
      return await options.prepare(node, inputs);
    } catch (error) {
      if (isLost(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      onEvent({ type: 'ended', vertex: node.id, time: Date.now(), outcome: 'failed', error: message });
      throw markFailed(error, node);
    }
  };

  try {
    await Promise.all(rootsOf(plan).map(async (id) => diffIdsOf(await snapshotOf(id))));
  } catch (error) {
    // The first cause, not the cancellation that it brought to others.
    const cause = stop.signal.aborted && !options.signal.aborted ? stop.signal.reason : error;
    await Promise.allSettled(snapshots.values());
    if (!options.signal.aborted) await runner.recorded().catch(() => {});
    throw cause;
  }
  await runner.recorded();
  for (const vertex of unused) onEvent({ type: 'ended', vertex, time: Date.now(), outcome: 'cached' });
  const entries = await Promise.all(
    [...snapshots].map(async ([id, promise]) => [id, await promise] as const),
  );
  return { snapshots: new Map(entries), ran: runner.ran, reused: runner.reused };
}

/** The nodes for whose sake all others run. */
function rootsOf(plan: Plan): NodeId[] {
  const stages = [...(plan.targets ?? [plan.target]), ...(plan.extraStages ?? [])];
  return [...new Set(stages.map((stage) => plan.stages[stage]!.result))];
}

function missingLayers(reference: string): SlipwayError {
  return new SlipwayError('corrupt', `layers of the image ${reference} are missing from the store`, {
    code: 'LAYERS_MISSING',
    hint: 'Import or load the image again.',
  });
}
