import { SlipwayError } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';
import { annotationsOf } from '../store/image-annotations.ts';
import { imageDocuments, imageLayers, noImage } from '../store/images.ts';
import type { LayerRecord } from '../store/layers.ts';
import { blobPath, layerDirectory, overridesPath } from '../store/layout.ts';
import type { Store } from '../store/store.ts';
import type { ExportImage, ExportLayer } from './types.ts';

/**
 * What the writers need to know of an image of the store. The front's part: hold the layers by a lease until the
 * writer is done.
 */
export function imageForExport(store: Store, id: Digest, names: readonly string[]): ExportImage {
  const documents = imageDocuments(store, id);
  if (documents === undefined) throw noImage(id);
  const config = documents.config.toString('utf8');
  if (!Buffer.from(config, 'utf8').equals(documents.config)) {
    throw new SlipwayError('corrupt', `the configuration of image ${id} is not UTF-8`, {
      code: 'IMAGE_DAMAGED',
    });
  }
  const annotations = annotationsOf(store, id);
  return {
    config,
    names: [...names],
    ...(annotations === undefined ? {} : { annotations }),
    layers: imageLayers(store, id).map((layer) => layerForExport(store.root, layer)),
  };
}

/** As `imageForExport`, for one layer. */
export function layerForExport(root: string, layer: LayerRecord): ExportLayer {
  const { id, stack, diffId, tarSize, packer, recipe, origin } = layer;
  return {
    diffId,
    tarSize,
    packer,
    directory: layerDirectory(root, id),
    ...(stack.length === 1 ? {} : { below: stack.slice(0, -1).map((part) => layerDirectory(root, part)) }),
    ...(recipe === undefined ? {} : { recipe }),
    ...(recipe?.overrides === true ? { overridesPath: overridesPath(root, id) } : {}),
    ...(origin === undefined ? {} : { origin: { ...origin, path: blobPath(root, origin.digest) } }),
  };
}
