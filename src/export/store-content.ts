import type { FoundImage } from '../store/find-image.ts';
import { annotationsOf } from '../store/image-annotations.ts';
import { imageLayers } from '../store/images.ts';
import { holdLayers } from '../store/layers.ts';
import type { LeaseId } from '../store/layout.ts';
import type { Store } from '../store/store.ts';
import { imageForExport } from './image-source.ts';
import type { ExportImage, ExportIndex } from './types.ts';

/**
 * What writers need to know of images and indexes of the store, each with the names that it is to have. Their layers are
 * held by the lease.
 */
export function storeContent(
  store: Store,
  lease: LeaseId,
  found: readonly { found: FoundImage; names: readonly string[] }[],
): { images: ExportImage[]; indexes?: ExportIndex[] } {
  const images: ExportImage[] = [];
  const indexes: ExportIndex[] = [];
  const add = (id: string, names: readonly string[]): number => {
    holdLayers(
      store,
      lease,
      imageLayers(store, id).map((layer) => layer.id),
    );
    return images.push(imageForExport(store, id, names)) - 1;
  };
  for (const { found: one, names } of found) {
    if (one.index === undefined) {
      add(one.image.id, names);
      continue;
    }
    const { index, indexDescriptor } = annotationsOf(store, one.index.id) ?? {};
    indexes.push({
      members: one.index.members.map(({ image, platform }) => ({ image: add(image, []), platform })),
      names: [...names],
      ...(index && { annotations: index }),
      ...(indexDescriptor && { descriptorAnnotations: indexDescriptor }),
    });
  }
  return { images, ...(indexes.length > 0 && { indexes }) };
}
