import { buildIndex } from '../image/build-manifest.ts';
import type { Digest } from '../image/types.ts';
import { adoptBlob } from '../store/blobs.ts';
import { rememberAnnotations } from '../store/image-annotations.ts';
import { imageLayers, type MovedTag, putImage } from '../store/images.ts';
import { memberFor, nameIndex, putIndex } from '../store/indexes.ts';
import { completeLayer, type LayerRecord, markDurable } from '../store/layers.ts';
import type { LeaseId } from '../store/layout.ts';
import type { Store } from '../store/store.ts';
import { bootId } from '../sys/process-identity.ts';
import { layoutImage, manifestDescriptor, plainLayer } from './layout-documents.ts';
import type { LoadedArchive, LoadedImage, LoadedIndex } from './load.ts';
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

/** What was loaded under these names, and from which image each was taken. */
export interface Registered {
  /** Of an image, or of an index. */
  id: Digest;
  names: string[];
  moved: MovedTag[];
}

/** The front's end of `loadArchive`. Returns the images that were asked for, with the names that others lost. */
export function registerLoaded(store: Store, lease: LeaseId, loaded: LoadedArchive): Registered[] {
  for (const layer of loaded.layers) registerLayer(store, lease, layer);
  const inIndex = new Set(loaded.indexes.flatMap(({ members }) => members.map(({ image }) => image)));
  return store.database.transaction(() => {
    const images = loaded.images.flatMap(({ config, names, parent, intermediate, manifest }, position) => {
      const { id, moved } = putImage(store, {
        config: Buffer.from(config, 'utf8'),
        tags: names,
        ...(parent === undefined ? {} : { parent }),
        ...(manifest === undefined ? {} : { manifest: Buffer.from(manifest, 'utf8') }),
      });
      const isPart = intermediate === true || inIndex.has(position);
      return isPart && names.length === 0 ? [] : [{ id, names, moved }];
    });
    return [...images, ...loaded.indexes.map((index) => registerIndex(store, index, loaded.images))];
  });
}

/**
 * Writes the index as one of a build is written, so that the same images have the same id wherever they come from.
 */
function registerIndex(store: Store, index: LoadedIndex, images: readonly LoadedImage[]): Registered {
  const { names, annotations, descriptorAnnotations } = index;
  const members = index.members.map((member) => {
    const { platform, annotations: described, manifestAnnotations } = member;
    const { id, config, manifest } = images[member.image]!;
    const entry = described && { manifestDescriptor: described };
    const both = { ...(manifestAnnotations && { manifest: manifestAnnotations }), ...entry };
    // A manifest that is kept has its own.
    const remembered = manifest === undefined ? both : { ...entry };
    rememberAnnotations(store, id, Object.keys(remembered).length === 0 ? undefined : remembered);
    const layers = imageLayers(store, id).map(plainLayer);
    const laidOut = layoutImage({ config, names: [], annotations: both }, layers);
    return {
      image: id,
      descriptor: { ...manifestDescriptor(laidOut), platform, ...(described && { annotations: described }) },
      platform,
    };
  });
  const document = buildIndex(
    members.map(({ descriptor }) => descriptor),
    annotations && { annotations },
  );
  const id = putIndex(
    store,
    document.bytes,
    members.map(({ image }) => image),
  );
  const own = {
    ...(annotations && { index: annotations }),
    ...(descriptorAnnotations && { indexDescriptor: descriptorAnnotations }),
  };
  rememberAnnotations(store, id, Object.keys(own).length === 0 ? undefined : own);
  // The image that has the names, too.
  const { image } = memberFor({ members });
  const { config } = images.find((one) => one.id === image)!;
  const { moved } = putImage(store, { config: Buffer.from(config, 'utf8'), tags: names });
  for (const name of names) nameIndex(store, name, id);
  return { id, names, moved };
}
