import { SlipwayError } from '../errors/index.ts';
import { type LayerRecord, layersForChain } from '../store/layers.ts';
import type { Store } from '../store/store.ts';
import type { AssembledImage } from './assemble-image.ts';

/**
 * The layers of a build's result.
 *
 * @throws SlipwayError `internal` LAYERS_MISSING where a collection took one: the build begins again
 */
export function resultLayers(store: Store, { diffIds }: AssembledImage): LayerRecord[] {
  const found = layersForChain(store, diffIds);
  if ('layers' in found) return found.layers;
  throw new SlipwayError('internal', 'layers of the result are gone', { code: 'LAYERS_MISSING' });
}
