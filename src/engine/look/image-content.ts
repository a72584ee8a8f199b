import type { WorkerProcess } from '../../execute/worker-process.ts';
import type { ImageConfig } from '../../image/types.ts';
import type { LayerEntry } from '../../layer/types.ts';
import { findImage } from '../../store/find-image.ts';
import { type ImageRecord, imageDocuments, imageLayers } from '../../store/images.ts';
import { holdLayers, type LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/store.ts';
import { layerListings } from '../layer-listings.ts';
import type { StoreSession } from '../session.ts';

/** An image taken apart: what its layers say, without a look at their files. */
export interface ImageContent {
  image: ImageRecord;
  config: ImageConfig;
  /** Bottom first, as the listings. */
  layers: LayerRecord[];
  listings: LayerEntry[][];
}

/**
 * Finds an image by any of its names and reads what its layers hold, with the digests of all files where that is
 * asked for. The layers stay while the session is open.
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`, `AMBIGUOUS_ID`
 */
export async function imageContent(
  store: Store,
  session: StoreSession,
  text: string,
  { digests = false }: { digests?: boolean } = {},
): Promise<ImageContent> {
  const { image } = findImage(store, text);
  const layers = imageLayers(store, image.id);
  holdLayers(
    store,
    session.lease(),
    layers.map(({ id }) => id),
  );
  const worker = (): Promise<WorkerProcess> => session.worker();
  return {
    image,
    config: imageDocuments(store, image.id)!.parsed,
    layers,
    listings: await layerListings(store, layers, { worker, digests }),
  };
}
