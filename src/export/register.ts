import type { Digest } from '../image/types.ts';
import { adoptBlob } from '../store/blobs.ts';
import { type MovedTag, putImage } from '../store/images.ts';
import { completeLayer, type LayerRecord, markDurable } from '../store/layers.ts';
import type { LeaseId } from '../store/layout.ts';
import type { Store } from '../store/store.ts';
import { bootId } from '../sys/process-identity.ts';
import type { LoadedArchive } from './load.ts';
import type { UnpackedLayer } from './unpack-blob.ts';

/** The front's end of `importRootfs` and `loadArchive`: adopts the layer's blob and names the layer. */
export function registerLayer(store: Store, lease: LeaseId, layer: UnpackedLayer): LayerRecord {
  const { id, originPath, warnings: _, ...done } = layer;
  adoptBlob(store, lease, { path: originPath, digest: done.origin.digest });
  // The worker has synced it.
  const record = completeLayer(store, id, { ...done, bootId: bootId() });
  markDurable(store, [record.id]);
  return record;
}

/** The front's end of `loadArchive`. Returns the images that were asked for, with the names that others lost. */
export function registerLoaded(
  store: Store,
  lease: LeaseId,
  loaded: LoadedArchive,
): { id: Digest; names: string[]; moved: MovedTag[] }[] {
  for (const layer of loaded.layers) registerLayer(store, lease, layer);
  return store.database.transaction(() =>
    loaded.images.flatMap(({ config, names, parent, intermediate, manifest }) => {
      const { id, moved } = putImage(store, {
        config: Buffer.from(config, 'utf8'),
        tags: names,
        ...(parent === undefined ? {} : { parent }),
        ...(manifest === undefined ? {} : { manifest: Buffer.from(manifest, 'utf8') }),
      });
      return intermediate === true && names.length === 0 ? [] : [{ id, names, moved }];
    }),
  );
}
