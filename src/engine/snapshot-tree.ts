import type { FileTree } from '../context/file-tree.ts';
import type { WorkerProcess } from '../execute/worker-process.ts';
import { ListingTree } from '../layer/listing-tree.ts';
import type { Snapshot } from '../solve/types.ts';
import type { Store } from '../store/store.ts';
import { layerListings } from './layer-listings.ts';

/** The merged files of a snapshot, from the listings of its layers. */
export async function snapshotTree(
  store: Store,
  snapshot: Snapshot,
  worker: () => Promise<WorkerProcess>,
): Promise<FileTree> {
  const layers = snapshot.layers.map(({ stack, stored }) => ({ stack, diffId: stored!.diffId }));
  return new ListingTree(await layerListings(store, layers, { worker, digests: true }));
}
