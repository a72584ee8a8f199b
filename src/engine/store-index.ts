import { layoutImage, manifestDescriptor, plainLayer } from '../export/layout-documents.ts';
import { annotationsFor } from '../image/annotations.ts';
import { buildIndex, type Document } from '../image/build-manifest.ts';
import type { Digest, ImageAnnotations, Platform } from '../image/types.ts';
import { putAnnotations, rememberAnnotations } from '../store/image-annotations.ts';
import { putImage } from '../store/images.ts';
import { memberFor, nameIndex, putIndex } from '../store/indexes.ts';
import { layersForChain } from '../store/layers.ts';
import type { Store } from '../store/store.ts';
import type { PlatformImage } from './deliver-target.ts';

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
    const found = layersForChain(store, image.diffIds);
    const layers = 'layers' in found ? found.layers : [];
    const own = members[index]!.annotations;
    const config = image.config.bytes.toString('utf8');
    const laidOut = layoutImage(
      { config, names: [], ...(own && { annotations: own }) },
      layers.map(plainLayer),
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
  store.database.transaction(() => {
    const images: Digest[] = [];
    for (const { config, annotations: own } of members) {
      images.push(putImage(store, { config: config.bytes }).id);
      rememberAnnotations(store, config.digest, own);
    }
    putIndex(store, document.bytes, images);
    const ofIndex = {
      ...annotations,
      manifest: undefined,
      manifestDescriptor: undefined,
      platforms: undefined,
    };
    if (annotations?.index ?? annotations?.indexDescriptor)
      putAnnotations(store, document.digest, JSON.parse(JSON.stringify(ofIndex)) as ImageAnnotations);
    const main = memberFor({
      members: members.map(({ platform, config }) => ({ platform, image: config.digest })),
    });
    const { bytes } = members.find(({ config }) => config.digest === main.image)!.config;
    putImage(store, { config: bytes, tags });
    for (const tag of tags) nameIndex(store, tag, document.digest);
  });
}
