import { claim, claimHolder, release } from '../store/claims.ts';
import {
  abandonLayer,
  allocateLayer,
  completeLayer,
  holdLayers,
  isTrusted,
  type LayerRecord,
  layerById,
  layersForChain,
  markDurable,
} from '../store/layers.ts';
import { isLeaseAlive } from '../store/leases.ts';
import { lastCost, putCost } from '../store/step-costs.ts';
import { getStep, hasDefinition, putStep, touchSteps } from '../store/steps.ts';
import type { Store } from '../store/store.ts';
import { bootId } from '../sys/process-identity.ts';
import type { CacheBackend, StoredLayer } from './cache-backend.ts';
import { readableParts } from './readable-parts.ts';

export interface StoreCacheOptions {
  store: Store;
  /** Names this build in the records that it leaves. */
  buildId: string;
  /** The lease under which layers are written and held; called when the first one is needed. */
  lease: () => string;
}

/** The step cache of a local store. */
export interface StoreCache extends CacheBackend {
  /** Keeps every layer that was handed out until the lease ends; call once there is a lease. */
  hold(): void;
  /** Notes that everything that this build wrote is on disk: call after a sync. */
  markDurable(): void;
  /** Writes down which records were used, for the collector. */
  touch(): void;
}

/** The record of results in the index of a store (DESIGN, decision 8). */
export function storeCache({ store, buildId, lease }: StoreCacheOptions): StoreCache {
  const used = new Set<string>();
  const keys = new Set<string>();
  const made = new Set<string>();
  let holding = false;

  const stored = (record: LayerRecord): StoredLayer => {
    used.add(record.id);
    if (holding) holdLayers(store, lease(), [record.id]);
    return { stack: [record.id], diffId: record.diffId, size: record.size };
  };

  return {
    lookup: (key) => {
      const record = getStep(store, key);
      const layer = record?.layer === undefined ? undefined : layerById(store, record.layer);
      if (!record || !layer || !isTrusted(layer, bootId())) return undefined;
      keys.add(key);
      return {
        layer: stored(layer),
        created: record.created,
        durationMs: record.durationMs,
        buildId: record.buildId,
      };
    },
    hasDefinition: (definition) => hasDefinition(store, definition),
    record: (step) => {
      const found = layersForChain(store, [step.diffId]);
      if (!('layers' in found)) return;
      putStep(store, {
        ...step,
        parts: readableParts(step.parts),
        layer: found.layers[0]!.id,
        buildId,
        bootId: bootId(),
      });
    },
    allocateLayer: () => allocateLayer(store, lease()),
    completeLayer: (id, digest) => {
      const layer = stored(completeLayer(store, id, { ...digest, bootId: bootId() }));
      made.add(layer.stack[0]!);
      return layer;
    },
    abandonLayer: (id) => abandonLayer(store, id),
    layersOf: (diffIds) => {
      const found = layersForChain(store, diffIds);
      return 'layers' in found ? found.layers.map(stored) : undefined;
    },
    lastRun: (name) => lastCost(store, name),
    noteRun: (name, cost) => putCost(store, name, cost),
    claim: (name) => claim(store, name, lease()).mine,
    isClaimed: (name) => {
      const holder = claimHolder(store, name);
      return holder !== undefined && holder !== lease() && isLeaseAlive(store, holder);
    },
    release: (name) => release(store, name, lease()),
    hold: () => {
      holding = true;
      holdLayers(store, lease(), [...used]);
    },
    markDurable: () => markDurable(store, made),
    touch: () => touchSteps(store, [...keys]),
  };
}
