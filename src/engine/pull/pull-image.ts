import { digestOf } from '../../image/digest.ts';
import { formatReference, type ImageReference } from '../../image/reference.ts';
import type { Digest } from '../../image/types.ts';
import type { RemoteImage } from '../../registry/resolve-image.ts';
import { imageById, imageByName, putImage } from '../../store/images.ts';
import type { Store } from '../../store/store.ts';
import { type PullLayersOptions, pullLayers } from './pull-layers.ts';

/** An image of a registry that is in the store now. */
export interface StoredImage {
  imageId: Digest;
  /** The name meant another image before, or none. */
  updated: boolean;
}

/**
 * Brings an image into the store and gives it the name by which it was asked for, and the one with its digest. Nothing
 * is fetched when it is here. Errors as `pullLayers`.
 */
export async function pullImage(
  image: RemoteImage,
  reference: ImageReference,
  options: PullLayersOptions,
): Promise<StoredImage> {
  const { store } = options;
  const id = digestOf(image.config.bytes);
  const updated = imageByName(store, nameOf(reference))?.id !== id;
  if (imageById(store, id) === undefined) await pullLayers(image, options);
  nameImage(store, image, reference);
  return { imageId: id, updated };
}

/** Writes an image whose layers are in the store under the names that `pullImage` gives. */
export function nameImage(store: Store, image: RemoteImage, reference: ImageReference): void {
  const { domain, path, digest } = reference;
  putImage(store, {
    config: image.config.bytes,
    manifest: image.manifest.bytes,
    tags: digest === undefined ? [nameOf(reference)] : [],
    digests: [formatReference({ domain, path, digest: image.digest })],
  });
}

function nameOf({ domain, path, tag = 'latest', digest }: ImageReference): string {
  return formatReference({ domain, path, ...(digest === undefined ? { tag } : { digest }) });
}
