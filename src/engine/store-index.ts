import { layoutImage, manifestDescriptor, plainLayer } from '../export/layout-documents.ts';
import { annotationsFor } from '../image/annotations.ts';
import { buildIndex, type Document } from '../image/build-manifest.ts';
import type { ImageAnnotations, Platform } from '../image/types.ts';
import { rememberAnnotations } from '../store/image-annotations.ts';
import { putImage } from '../store/images.ts';
import { memberFor, nameIndex, putIndex } from '../store/indexes.ts';
import type { Store } from '../store/store.ts';
import type { PlatformImage } from './deliver-target.ts';
import { resultLayers } from './result-layers.ts';

/** An image for several platforms. */
export interface StoredIndex {
  /** The index of manifests of layers that are not compressed. */
  document: Document;
  annotations: ImageAnnotations | undefined;
  members: { platform: Platform; config: Document; annotations: ImageAnnotations | undefined }[];
}

/** Makes the index of a build's images, whose digest names it in the store. */
export function describeIndex(
  store: Store,
  images: readonly PlatformImage[],
  annotations: ImageAnnotations | undefined,
): StoredIndex {
  const members = images.map(({ platform, image: { config } }) => ({
    platform,
    config,
    annotations: annotationsFor(annotations, platform),
  }));
  const manifests = images.map(({ platform, image }, index) => {
    const own = members[index]!.annotations;
    const config = image.config.bytes.toString('utf8');
    const laidOut = layoutImage(
      { config, names: [], ...(own && { annotations: own }) },
      resultLayers(store, image).map(plainLayer),
    );
    const { annotations: described } = laidOut;
    return { ...manifestDescriptor(laidOut), platform, ...(described && { annotations: described }) };
  });
  const { index } = annotations ?? {};
  return { document: buildIndex(manifests, index && { annotations: index }), annotations, members };
}

/** Puts the images of an index into the store, and the index under its names. */
export function storeIndex(store: Store, index: StoredIndex, tags: readonly string[]): void {
  const { members, document, annotations } = index;
  // The image that has the names, too.
  const { image: main } = memberFor({
    members: members.map(({ platform, config }) => ({ platform, image: config.digest })),
  });
  store.database.transaction(() => {
    const images = members.map(({ config, annotations: own }) => {
      const { id } = putImage(store, { config: config.bytes, tags: config.digest === main ? tags : [] });
      rememberAnnotations(store, id, own);
      return id;
    });
    putIndex(store, document.bytes, images);
    const { index: ofIndex, indexDescriptor } = annotations ?? {};
    const own = { ...(ofIndex && { index: ofIndex }), ...(indexDescriptor && { indexDescriptor }) };
    rememberAnnotations(store, document.digest, Object.keys(own).length === 0 ? undefined : own);
    for (const tag of tags) nameIndex(store, tag, document.digest);
  });
}
