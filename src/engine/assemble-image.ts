import { hash } from 'node:crypto';
import { buildImageConfig, type ImageParts } from '../image/build-config.ts';
import type { Document } from '../image/build-manifest.ts';
import { nowNs } from '../image/time.ts';
import type { ContainerConfig, Digest, HistoryEntry, Platform } from '../image/types.ts';
import type { NodeId, Plan, PlannedHistory, PlannedLine, PlannedStage } from '../plan/types.ts';
import { diffIdsOf, type Snapshot } from '../solve/types.ts';
import { getValue, putValue } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import type { Squashed } from './squash.ts';
import { squashedHistory } from './squashed-history.ts';

/** A stage as an image: its configuration document and its layers. */
export interface AssembledImage {
  config: Document;
  platform: Platform;
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
  changes: {
    squashed?: Pick<Squashed, 'snapshot' | 'kept'> | undefined;
    /** Members that the configuration has beside the usual ones. */
    extra?: Readonly<Record<string, unknown>> | undefined;
  } = {},
): Promise<AssembledImage> {
  const { squashed, extra } = changes;
  const stage = plan.stages[stageIndex]!;
  const snapshot = squashed?.snapshot ?? snapshots.get(stage.result)!;
  const diffIds = await diffIdsOf(snapshot);
  const ofSteps = timedHistory(stage.history, snapshots);
  const history = squashed === undefined ? ofSteps : squashedHistory(ofSteps, squashed.kept);
  const { config: settings, author, platform } = stage;
  const config = configDocument(store, plan, { settings, author, platform, history, diffIds, extra });
  const size = snapshot.layers.reduce((sum, layer) => sum + (layer.stored?.size ?? 0), 0);
  return { config, platform, diffIds, size };
}

/** A stage as far as one of its lines. */
export interface BuiltParts {
  stage: PlannedStage;
  line: PlannedLine;
  diffIds: Digest[];
  snapshots: ReadonlyMap<NodeId, Snapshot>;
}

/** The configuration document of a stage after one of its lines: after the last one, that of the image. */
export function documentOf(store: Store, plan: Plan, parts: BuiltParts): Document {
  const { stage, line, diffIds, snapshots } = parts;
  return configDocument(store, plan, {
    settings: line.config,
    author: line.author,
    platform: stage.platform,
    history: timedHistory(stage.history.slice(0, line.history), snapshots),
    diffIds,
  });
}

function timedHistory(
  history: readonly PlannedHistory[],
  snapshots: ReadonlyMap<NodeId, Snapshot>,
): HistoryEntry[] {
  return history.map(({ node, ...entry }) => {
    const created = node === undefined ? entry.created : snapshots.get(node)?.layers.at(-1)?.created;
    return created === undefined ? entry : { ...entry, created };
  });
}

interface ConfigParts extends Pick<ImageParts, 'platform' | 'history' | 'diffIds'> {
  settings: ContainerConfig;
  author: string | undefined;
  extra?: Readonly<Record<string, unknown>> | undefined;
}

function configDocument(
  store: Store,
  plan: Plan,
  { settings, author, platform, history, diffIds, extra }: ConfigParts,
): Document {
  const parts: Omit<ImageParts, 'nowNs'> = {
    platform,
    config: settings,
    ...(author === undefined ? {} : { author }),
    history,
    diffIds,
    ...(plan.epoch === undefined ? {} : { epochNs: BigInt(plan.epoch) * 1_000_000_000n }),
  };
  const hasTime = plan.epoch !== undefined || history.some(({ created }) => created !== undefined);
  const nowNs = hasTime ? 0n : firstMade(store, parts);
  return buildImageConfig({ ...parts, ...(extra && { extra }), nowNs });
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
