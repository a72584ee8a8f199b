import type { HashedLayer } from '../execute/step/digest-layer.ts';
import type { Digest } from '../image/types.ts';
import type { KeyParts } from './keys.ts';

/** A layer that is whole and named in the store. */
export interface StoredLayer {
  /** Directory names that make it up, bottom first: one, or a base and the deltas over it. */
  stack: string[];
  diffId: Digest;
  /** Sum of the file sizes. */
  size: number;
}

/** A recorded result. */
export interface StepRecord {
  layer: StoredLayer;
  /** RFC 3339: when the step ran. */
  created: string;
  durationMs: number;
  buildId: string;
  /** It is in an imported cache: the layer has no directories until `bring` has made them. */
  remote?: true;
}

/** What a step needed of the machine. */
export interface StepCost {
  durationMs: number;
  /** Bytes of memory at its peak, where that was measured. */
  peakMemory?: number | undefined;
}

/** What a layer's directory lies over, as a part of the same layer. */
export interface LaidOver {
  /** The uppermost layer under it. */
  base: string;
  /** Chain id of the parent, where names of the base are taken away: it fits over no other. Empty for none. */
  fits?: string | undefined;
}

/** What is recorded of a step that ran. */
export interface NewStepRecord {
  key: string;
  definition: string;
  parentChain: Digest;
  diffId: Digest;
  created: string;
  durationMs: number;
  parts: KeyParts;
}

/**
 * The record of results, as the scheduler sees it; a local index stands behind it, and a map in its tests.
 * Everything is synchronous: a look-up takes microseconds.
 */
export interface CacheBackend {
  lookup(key: string): StepRecord | undefined;
  /** Reads the imported caches, where there are any: waited for before anything counts as not recorded. */
  ready?(): Promise<void>;
  /**
   * Brings layers that only an imported cache has into the store. `chain`: bottom first, those that have directories
   * are there. Gives the whole chain.
   *
   * @throws SlipwayError `CACHE_LAYER_LOST` when one cannot be had: no record of it is given out any more.
   */
  bring?(chain: readonly StoredLayer[]): Promise<StoredLayer[]>;
  /** True when a step with this definition was recorded on any parent. */
  hasDefinition(definition: string): boolean;
  record(step: NewStepRecord): void;
  /** The name for a new layer that a step is about to write. */
  allocateLayer(): string;
  /**
   * The layer is whole: it gets its digest. Gives the layer to use from now on, which may be an older twin.
   *
   * @throws SlipwayError `LAYER_UNFIT` when there is a twin that takes names away over another parent: only a layer
   * that is written in full can take its place.
   */
  completeLayer(id: string, digest: HashedLayer, over?: LaidOver): StoredLayer;
  /** Layers of steps that differ from this one in nothing but the content they read, the likeliest first. */
  basesFor(parts: KeyParts, parentChain: Digest): StoredLayer[];
  /** The step failed: what there may be of its layer is garbage. */
  abandonLayer(id: string): void;
  /** The stored layers of a chain, or undefined when one of them is missing. */
  layersOf(diffIds: readonly Digest[]): StoredLayer[] | undefined;
  /** What a step of this name needed last time. */
  lastRun(name: string): StepCost | undefined;
  noteRun(name: string, cost: StepCost): void;
  /**
   * Asks to be the one who runs a step. True: the caller runs it and calls `release`. False: another process does.
   */
  claim(name: string): boolean;
  /** True while another process that is alive runs the step. */
  isClaimed(name: string): boolean;
  release(name: string): void;
}
