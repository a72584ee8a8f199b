import { historyRows } from '../../image/history.ts';
import type { Digest } from '../../image/types.ts';
import { textOf } from '../../sys/bytes.ts';
import { type StoreOptions, withSession } from '../with-session.ts';
import { imageContent } from './image-content.ts';
import { efficiencyOf, type LayerUse, layersUse } from './layer-use.ts';

/** One layer of an image, and what it is good for. Plain data. */
export interface LookedLayer extends LayerUse {
  /** From 1 for the base. */
  number: number;
  diffId: Digest;
  /** Empty where the history does not tell. */
  createdBy: string;
  /** Bytes of its files. */
  size: number;
}

export interface LookedLayers {
  /** Bottom first. */
  layers: LookedLayer[];
  /** Bytes of the files of all layers, and of those among them that a later layer replaces or removes. */
  total: number;
  wasted: number;
  /** From 0 to 1: what is not wasted. */
  efficiency: number;
  /** Paths with copies that nobody sees, the largest first; readable text. */
  paths: { path: string; bytes: number; copies: number }[];
}

/**
 * The layers of an image: what each adds, changes and removes, and which bytes are in the image although no file of
 * it shows them.
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`
 */
export function lookAtLayers(options: StoreOptions & { image: string }): Promise<LookedLayers> {
  return withSession(options, async (store, session) => {
    const { image, config, layers, listings } = await imageContent(store, session, options.image);
    const use = layersUse(listings);
    const sizes = layers.map(({ size }) => size);
    const rows = historyRows([image.id], config, sizes).reverse();
    const createdBy = rows.filter(({ emptyLayer }) => !emptyLayer).map((row) => row.createdBy);
    return {
      layers: layers.map(({ diffId, size }, index) => ({
        number: index + 1,
        diffId,
        createdBy: createdBy[index] ?? '',
        size,
        ...use.layers[index]!,
      })),
      total: use.total,
      wasted: use.wasted,
      efficiency: efficiencyOf(use),
      paths: use.paths.map(({ path, ...rest }) => ({ path: `/${textOf(path)}`, ...rest })),
    };
  });
}
