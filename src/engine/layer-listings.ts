import { existsSync, readFileSync } from 'node:fs';
import type { WorkerProcess } from '../execute/worker-process.ts';
import type { Digest } from '../image/types.ts';
import { decodeListing } from '../layer/listing.ts';
import { type LayerEntry, lacksDigest } from '../layer/types.ts';
import { listingPath } from '../store/layout.ts';
import type { Store } from '../store/store.ts';

/** A layer in the store: where it lies, and what it is. */
export interface ListedLayer {
  stack: readonly string[];
  diffId: Digest;
}

/**
 * The listings of layers, bottom first: no layer is read. One that is missing (it may be lost at any time) is made
 * again by the worker; so are, where `digests` are asked for, digests that a listing lacks.
 */
export async function layerListings(
  store: Store,
  layers: readonly ListedLayer[],
  { worker, digests }: { worker: () => Promise<WorkerProcess>; digests: boolean },
): Promise<LayerEntry[][]> {
  const listings: LayerEntry[][] = [];
  for (const [index, { stack, diffId }] of layers.entries()) {
    const path = listingPath(store.root, diffId);
    if (!existsSync(path)) {
      const parent = layers[index - 1]?.stack.at(-1);
      const { client } = await worker();
      const [top, ...below] = stack.toReversed();
      // Of what lies under it no listing is needed: all is computed.
      const base = below.length === 0 ? undefined : { stack: below.toReversed(), diffId };
      await client.call('digest', { layer: top!, base, parent, listedAs: diffId });
    }
    let entries = decodeListing(readFileSync(path));
    if (digests && entries.some(lacksDigest)) {
      const { client } = await worker();
      await client.call('complete-listing', { stack, diffId });
      entries = decodeListing(readFileSync(path));
    }
    listings.push(entries);
  }
  return listings;
}
