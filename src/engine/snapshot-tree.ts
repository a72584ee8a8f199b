import { existsSync, readFileSync } from 'node:fs';
import type { FileTree } from '../context/file-tree.ts';
import type { WorkerProcess } from '../execute/worker-process.ts';
import { decodeListing } from '../layer/listing.ts';
import { ListingTree } from '../layer/listing-tree.ts';
import type { Snapshot } from '../solve/types.ts';
import { listingPath } from '../store/layout.ts';
import type { Store } from '../store/store.ts';

/**
 * The merged files of a snapshot, from the listings of its layers: no layer is read. A listing that is missing (it
 * may be lost at any time) is made again by the worker.
 */
export async function snapshotTree(
  store: Store,
  snapshot: Snapshot,
  worker: () => Promise<WorkerProcess>,
): Promise<FileTree> {
  const listings = [];
  for (const [index, layer] of snapshot.layers.entries()) {
    const { diffId } = layer.stored!;
    const path = listingPath(store.root, diffId);
    if (!existsSync(path)) {
      const parent = snapshot.layers[index - 1]?.stack.at(-1);
      const { client } = await worker();
      const [top, ...below] = layer.stack.toReversed();
      // Of what lies under it no listing is needed: all is computed.
      const base =
        below.length === 0 ? undefined : { stack: below.toReversed(), diffId: layer.stored!.diffId };
      await client.call('digest', { layer: top!, base, parent, listedAs: diffId });
    }
    listings.push(decodeListing(readFileSync(path)));
  }
  return new ListingTree(listings);
}
