import { claim, claimHolder, release } from '../store/claims.ts';
import {
  abandonLayer,
  allocateLayer,
  completeLayer,
  holdLayers,
  isTrusted,
  type LayerRecord,
  layerByDiffId,
  layerById,
  layersForChain,
  markDurable,
} from '../store/layers.ts';
import { isLeaseAlive } from '../store/leases.ts';
import { lastCost, putCost } from '../store/step-costs.ts';
import { getStep, hasDefinition, putStep, stepsByParent, touchSteps } from '../store/steps.ts';
import type { Store } from '../store/store.ts';
import { bootId } from '../sys/process-identity.ts';
import type { CacheBackend, StepRecord, StoredLayer } from './cache-backend.ts';
import type { KeyParts } from './keys.ts';
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

/** A layer in more directories than this is not made: every look-up of a name goes through all of them. */
const MAX_STACK = 4;

/** Comparing with one takes about 10 ms for 20,000 files. */
const MAX_BASES = 3;

/** The record of results in the index of a store (DESIGN, decision 8). */
export function storeCache({ store, buildId, lease }: StoreCacheOptions): StoreCache {
  const used = new Set<string>();
  const keys = new Set<string>();
  const made = new Set<string>();
  let holding = false;

  const stored = (record: LayerRecord): StoredLayer => {
    used.add(record.id);
    if (holding) holdLayers(store, lease(), [record.id]);
    return { stack: record.stack, diffId: record.diffId, size: record.size };
  };

  const find = (key: string): StepRecord | undefined => {
    const record = getStep(store, key);
    const layer = record?.layer === undefined ? undefined : layerById(store, record.layer);
    if (!record || !layer || !isTrusted(layer, bootId())) return undefined;
    keys.add(key);
    const { created, durationMs, buildId } = record;
    return { layer: stored(layer), created, durationMs, buildId };
  };

  return {
    // Where it is held at once, nobody may remove it between the two.
    lookup: (key) => (holding ? store.database.transaction(() => find(key)) : find(key)),
    hasDefinition: (definition) => hasDefinition(store, definition),
    record: (step) => {
      const layer = layerByDiffId(store, step.diffId);
      if (layer === undefined) return;
      putStep(store, {
        ...step,
        parts: readableParts(step.parts),
        layer: layer.id,
        buildId,
        bootId: bootId(),
      });
    },
    allocateLayer: () => allocateLayer(store, lease()),
    completeLayer: (id, digest, over) => {
      const fits = over?.fits === undefined ? {} : { fits: over.fits };
      const base = over === undefined ? {} : { base: over.base, ...fits };
      const layer = stored(completeLayer(store, id, { ...digest, bootId: bootId(), ...base }));
      for (const part of layer.stack) made.add(part);
      return layer;
    },
    basesFor: (parts, parentChain) => {
      const bases = new Map<string, LayerRecord>();
      const readable = readableParts(parts);
      for (const step of stepsByParent(store, parentChain)) {
        if (!differsInContent(step.parts as KeyParts, readable)) continue;
        const base = lowEnough(store, layerById(store, step.layer!));
        if (base !== undefined && isTrusted(base, bootId())) bases.set(base.id, base);
        if (bases.size === MAX_BASES) break;
      }
      return [...bases.values()].map(stored);
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

/** Equal but for `content`, which is the digest of the files that a COPY selects. */
function differsInContent(ours: KeyParts, theirs: KeyParts): boolean {
  const names = Object.keys(ours);
  return (
    'content' in ours &&
    names.length === Object.keys(theirs).length &&
    names.every((name) => name === 'content' || ours[name] === theirs[name])
  );
}

/** The layer, or one that it lies over, such that one more directory may lie on it. */
function lowEnough(store: Store, layer: LayerRecord | undefined): LayerRecord | undefined {
  return layer === undefined || layer.stack.length < MAX_STACK
    ? layer
    : layerById(store, layer.stack[MAX_STACK - 2]!);
}
