import { digestOf } from '../../image/digest.ts';
import { formatReference, type ImageReference } from '../../image/reference.ts';
import type { Digest } from '../../image/types.ts';
import type { RemoteImage } from '../../registry/resolve-image.ts';
import { imageById, imageByName, putImage } from '../../store/images.ts';
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
  const { domain, path, tag, digest } = reference;
  const id = digestOf(image.config.bytes);
  const asked = formatReference({
    domain,
    path,
    ...(digest === undefined ? { tag: tag ?? 'latest' } : { digest }),
  });
  const updated = imageByName(store, asked)?.id !== id;
  if (imageById(store, id) === undefined) await pullLayers(image, options);
  putImage(store, {
    config: image.config.bytes,
    manifest: image.manifest.bytes,
    tags: digest === undefined ? [asked] : [],
    digests: [formatReference({ domain, path, digest: image.digest })],
  });
  return { imageId: id, updated };
}
