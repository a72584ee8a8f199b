import type { HistoryEntry } from '../image/types.ts';

/**
 * The history of a squashed image, in the engine's way: what became part of the one layer is empty, and an entry
 * of its own has the layer.
 */
export function squashedHistory(history: readonly HistoryEntry[], kept: number): HistoryEntry[] {
  let layers = 0;
  const entries = history.map((entry) => {
    if (entry.empty_layer === true || layers++ < kept) return entry;
    return { ...entry, empty_layer: true };
  });
  const created = history.findLast((entry) => entry.created !== undefined)?.created;
  return [...entries, { ...(created === undefined ? {} : { created }), comment: 'slipway: squashed layers' }];
}
