import { hash } from 'node:crypto';
import { buildImageConfig, type ImageParts } from '../image/build-config.ts';
import type { Document } from '../image/build-manifest.ts';
import { nowNs } from '../image/time.ts';
import type { Digest } from '../image/types.ts';
import type { NodeId, Plan } from '../plan/types.ts';
import { diffIdsOf, type Snapshot } from '../solve/types.ts';
import { getValue, putValue } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { type Squashed, squashedHistory } from './squash.ts';

/** A stage as an image: its configuration document and its layers. */
export interface AssembledImage {
  config: Document;
  diffIds: Digest[];
  /** Sum of the file sizes of all layers, in bytes. */
  size: number;
}

/**
 * Makes the configuration document of a stage (SPEC 1.15), given by its index in the plan. Equal input gives the same
 * document: an image without any new layer takes the time at which it was first made.
 */
export async function assembleImage(
  store: Store,
  plan: Plan,
  stageIndex: number,
  snapshots: Map<NodeId, Snapshot>,
  squashed?: Pick<Squashed, 'snapshot' | 'kept'>,
): Promise<AssembledImage> {
  const stage = plan.stages[stageIndex]!;
  const snapshot = squashed?.snapshot ?? snapshots.get(stage.result)!;
  const diffIds = await diffIdsOf(snapshot);
  const ofSteps = stage.history.map(({ node, ...entry }) => {
    const created = node === undefined ? entry.created : snapshots.get(node)?.layers.at(-1)?.created;
    return created === undefined ? entry : { ...entry, created };
  });
  const history = squashed === undefined ? ofSteps : squashedHistory(ofSteps, squashed.kept);
  const parts: Omit<ImageParts, 'nowNs'> = {
    platform: stage.platform,
    config: stage.config,
    ...(stage.author === undefined ? {} : { author: stage.author }),
    history,
    diffIds,
    ...(plan.epoch === undefined ? {} : { epochNs: BigInt(plan.epoch) * 1_000_000_000n }),
  };
  const hasTime = plan.epoch !== undefined || history.some(({ created }) => created !== undefined);
  const config = buildImageConfig({ ...parts, nowNs: hasTime ? 0n : firstMade(store, parts) });
  const size = snapshot.layers.reduce((sum, layer) => sum + (layer.stored?.size ?? 0), 0);
  return { config, diffIds, size };
}

/** Nanoseconds since 1970 at which an image of these parts was first made in this store. */
function firstMade(store: Store, parts: Omit<ImageParts, 'nowNs'>): bigint {
  const name = `image ${hash('sha256', JSON.stringify(parts), 'hex')}`;
  const known = getValue(store, name);
  if (known !== undefined) return BigInt(known);
  const now = nowNs();
  putValue(store, name, String(now));
  return now;
}
