import type { CacheBackend } from '../cache/cache-backend.ts';
import { chainId, definitionDigest, stepKey } from '../cache/keys.ts';
import { SlipwayError } from '../errors/index.ts';
import type { Executor } from '../execute/executor.ts';
import type { Plan, PlannedStage } from '../plan/types.ts';
import { diffIdsOf, layerNames, type Snapshot, solvedLayer } from '../solve/types.ts';

export interface SquashRequest {
  plan: Plan;
  stage: PlannedStage;
  /** Of the stage, with known digests. */
  snapshot: Snapshot;
  kind: 'new' | 'all';
  cache: CacheBackend;
  /** Starts the executor on first use. */
  executor: () => Promise<Executor>;
  clampMtime: number | undefined;
  signal: AbortSignal;
}

/** A stage whose layers have become one, and whether that had to be done now. */
export interface Squashed {
  snapshot: Snapshot;
  /** Layers of the base that stay as they are. */
  kept: number;
  ran: boolean;
}

/**
 * Makes one layer of those that a stage adds to its base (`new`), or of all (`all`). The result is recorded like that
 * of a step. Undefined where there are no two layers to be made one.
 */
export async function squashStage(request: SquashRequest): Promise<Squashed | undefined> {
  const { snapshot, kind, cache, clampMtime, signal } = request;
  const kept = kind === 'all' ? 0 : baseLayers(request.plan, request.stage);
  const added = snapshot.layers.slice(kept);
  if (added.length < 2) return undefined;
  const below: Snapshot = { layers: snapshot.layers.slice(0, kept) };
  const parentChain = chainId(await diffIdsOf(below));
  const parts = {
    instruction: 'SQUASH',
    layers: (await diffIdsOf({ layers: added })).join(' '),
    ...(clampMtime === undefined ? {} : { epoch: String(clampMtime) }),
  };
  const definition = definitionDigest(parts);
  const key = stepKey(definition, parentChain);
  const found = cache.lookup(key);
  if (found) return { snapshot: withLayer(below, found.layer, found.created), kept, ran: false };
  const executor = await request.executor();
  const layer = cache.allocateLayer();
  const started = Date.now();
  try {
    const { digest } = await executor.execute(
      {
        step: { kind: 'squash', layers: layerNames({ layers: added }) },
        parent: layerNames(below),
        layer,
        clampMtime,
      },
      { onLog: () => {} },
      signal,
    );
    const stored = cache.completeLayer(layer, await digest);
    const created = added.findLast((one) => one.created !== undefined)?.created ?? new Date().toISOString();
    const durationMs = Date.now() - started;
    cache.record({ key, definition, parentChain, diffId: stored.diffId, created, durationMs, parts });
    return { snapshot: withLayer(below, stored, created), kept, ran: true };
  } catch (error) {
    cache.abandonLayer(layer);
    throw error;
  }
}

function withLayer(below: Snapshot, layer: Parameters<typeof solvedLayer>[0], created: string): Snapshot {
  return { layers: [...below.layers, solvedLayer(layer, created)] };
}

/** How many layers the image has that the stage's line of steps begins with. */
function baseLayers(plan: Plan, stage: PlannedStage): number {
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
  for (let node = nodes.get(stage.result); node !== undefined; ) {
    const { operation } = node;
    if (operation.kind === 'image') return operation.diffIds.length;
    if (operation.kind === 'scratch') return 0;
    node = nodes.get(operation.parent);
  }
  throw new SlipwayError('internal', 'a stage begins nowhere', { code: 'STAGE_WITHOUT_BASE' });
}
