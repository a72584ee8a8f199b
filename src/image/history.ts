import { ZERO_TIME } from './time.ts';
import type { Digest, ImageConfig } from './types.ts';

/** One row of `history`, newest first. */
export interface HistoryRow {
  /** Id of the image that ended here, if it is known; `history` prints `<missing>` otherwise. */
  id: Digest | undefined;
  /** RFC 3339; Go's zero time when unknown. */
  created: string;
  createdBy: string;
  /** Bytes of the layer's files; 0 for a row without a layer. */
  size: number;
  comment: string;
  emptyLayer: boolean;
}

/**
 * Lines the history of an image up with its layers. `ids` are those of the image and, after it, of the images that it was
 * made from, one for each row as far as they are known. `sizes` are those of the layers, bottom first. Layers that the
 * history does not mention get rows of their own at the bottom, as Docker counts from the first entry.
 */
export function historyRows(
  ids: readonly Digest[],
  config: ImageConfig,
  sizes: readonly number[],
): HistoryRow[] {
  const history = config.history ?? [];
  const rows: HistoryRow[] = [];
  let layer = 0;
  for (const entry of history) {
    const emptyLayer = entry.empty_layer === true || layer >= sizes.length;
    rows.push({
      id: undefined,
      created: entry.created ?? ZERO_TIME,
      createdBy: entry.created_by ?? '',
      size: emptyLayer ? 0 : sizes[layer]!,
      comment: entry.comment ?? '',
      emptyLayer,
    });
    if (!emptyLayer) layer++;
  }
  for (; layer < sizes.length; layer++) {
    rows.push({
      id: undefined,
      created: config.created ?? ZERO_TIME,
      createdBy: '',
      size: sizes[layer]!,
      comment: '',
      emptyLayer: false,
    });
  }
  rows.reverse();
  for (const [i, id] of ids.slice(0, rows.length).entries()) rows[i]!.id = id;
  return rows;
}
