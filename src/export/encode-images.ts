import { rmSync } from 'node:fs';
import { compressionOf, DOCKER, layerMediaType, OCI } from '../image/media-types.ts';
import type { Descriptor } from '../image/types.ts';
import { writeLayerBlob } from './compress-layer.ts';
import { type LayoutImage, layoutImage } from './layout-documents.ts';
import { explain } from './output.ts';
import type { Aborted, ExportImage, ImageEncoding } from './types.ts';

export interface EncodeOptions extends ImageEncoding {
  /**
   * Beginning of the paths of temporary files, on the store's file system, as `temporaryPath` of src/store makes
   * them. What this call makes it removes.
   */
  scratch: string;
  aborted?: Aborted;
}

/** Writes every layer's blob once and hands it on. On an error nothing of the blob at hand stays. */
export async function encodeImages(
  images: readonly ExportImage[],
  options: EncodeOptions,
  done: (path: string, descriptor: Descriptor) => void,
): Promise<LayoutImage[]> {
  const { scratch, aborted, family = 'oci', ...encoding } = options;
  const layers = new Map<string, Descriptor>();
  const documents: LayoutImage[] = [];
  for (const image of images) {
    const descriptors: Descriptor[] = [];
    for (const layer of image.layers) {
      let descriptor = layers.get(layer.diffId);
      if (descriptor === undefined) {
        const path = `${scratch}-${layers.size}`;
        try {
          const written = await writeLayerBlob(layer, { path, scratch: `${path}-tar` }, encoding, aborted);
          descriptor = { ...written, mediaType: mediaTypeIn(family, written.mediaType) };
        } catch (error) {
          rmSync(path, { force: true });
          throw explain(error);
        }
        done(path, descriptor);
        layers.set(layer.diffId, descriptor);
      }
      descriptors.push(descriptor);
    }
    documents.push(layoutImage(image, descriptors, family));
  }
  return documents;
}

/** A manifest's layers have the media types of its family, whichever they came with. */
function mediaTypeIn(family: 'oci' | 'docker', mediaType: string): string {
  const compression = compressionOf(mediaType);
  if (compression === undefined) return mediaType;
  return layerMediaType(compression, family === 'docker' ? DOCKER : OCI);
}
