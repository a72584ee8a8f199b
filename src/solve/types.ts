import type { StoredLayer } from '../cache/cache-backend.ts';
import type { KeyParts } from '../cache/keys.ts';
import type { ExecutableStep } from '../execute/executor.ts';
import type { Digest } from '../image/types.ts';
import type { PlanNode } from '../plan/types.ts';

/** One layer of a snapshot, named at once, digested some time later. */
export interface SolvedLayer {
  /** Directory names that make it up, bottom first. */
  stack: string[];
  /** Set once the digest is known. */
  stored: StoredLayer | undefined;
  /** Settles with the digest; rejects when hashing failed. */
  digested: Promise<StoredLayer>;
  /** RFC 3339: when the step that made it ran; of a base image's layers undefined. */
  created: string | undefined;
  /** It is not in the store, so `stack` is empty: brings it there, as a layer of this snapshot. */
  fetch?: ((snapshot: Snapshot) => Promise<void>) | undefined;
  /** Called when the digest becomes known, before anybody else can see the result. */
  onStored?: (() => void)[];
}

/** The root file system that a node produced: its layers, base first. */
export interface Snapshot {
  layers: SolvedLayer[];
}

/** A step made ready: what its key is made of, and what the executor needs to run it. */
export interface PreparedStep {
  parts: KeyParts;
  /** Only asked for when the step runs: a cached COPY from a stage needs no list of files. */
  step: () => Promise<ExecutableStep>;
}

/**
 * Looks at a step's inputs: selects its files, digests them, and gives the parts of its key. `inputs` are the
 * snapshots of the nodes that it reads beside its parent, all with known digests.
 *
 * Throws `not-found` for a source that is not there.
 */
export type PrepareStep = (node: PlanNode, inputs: Map<string, Snapshot>) => Promise<PreparedStep>;

/** The digests of a snapshot's layers, once all are known. */
export async function diffIdsOf(snapshot: Snapshot): Promise<Digest[]> {
  const stored = await Promise.all(snapshot.layers.map((layer) => layer.stored ?? layer.digested));
  return stored.map((layer) => layer.diffId);
}

/** The digests if all are known now. */
export function knownDiffIds(snapshot: Snapshot): Digest[] | undefined {
  const known: Digest[] = [];
  for (const { stored } of snapshot.layers) {
    if (!stored) return undefined;
    known.push(stored.diffId);
  }
  return known;
}

/** A layer that the store has. */
export function solvedLayer(stored: StoredLayer, created?: string): SolvedLayer {
  return { stack: stored.stack, stored, digested: Promise.resolve(stored), created };
}

/** Brings layers that are still elsewhere into the store, so that they can be mounted and read. */
export async function fetched(snapshot: Snapshot): Promise<Snapshot> {
  for (const layer of snapshot.layers) await layer.fetch?.(snapshot);
  return snapshot;
}

/** Names of all directories of a snapshot, bottom first, as a mount takes them. */
export function layerNames(snapshot: Snapshot): string[] {
  return snapshot.layers.flatMap((layer) => layer.stack);
}
