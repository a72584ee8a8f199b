import { timeOrAge } from '../image/time-or-age.ts';
import type { Digest } from '../image/types.ts';
import { collectGarbage } from '../store/garbage.ts';
import { type ImageRecord, listImages } from '../store/images.ts';
import { type RemovalLine, removeImage } from '../store/removal.ts';
import type { Store } from '../store/store.ts';
import { booleanFilter, hasLabel } from './filter-images.ts';
import { measureImageLayers } from './measure-entries.ts';
import { type StoreOptions, withSession } from './with-session.ts';

/** Names of the filters of `image prune`. */
export const PRUNE_FILTERS = ['dangling', 'label', 'label!', 'until'] as const;

export interface PruneImagesOptions extends StoreOptions {
  /** Images with names too. */
  all?: boolean;
  filters?: ReadonlyMap<string, readonly string[]>;
  /** Milliseconds since 1970. */
  now?: number;
}

export interface PrunedImages {
  lines: RemovalLine[];
  /** Bytes of the disk that the layers took which are gone. Layers that the build cache keeps do not count. */
  reclaimed: number;
}

/**
 * Removes images that nobody uses, as `docker image prune` does, and the layers that only they needed.
 *
 * @throws SlipwayError `FILTER_VALUE`, `TIME_INVALID`
 */
export function pruneImages(options: PruneImagesOptions): Promise<PrunedImages> {
  return withSession(options, async (store, session) => {
    const lines: RemovalLine[] = [];
    const images = unused(store, options);
    if (images.length > 0) await measureImageLayers(store, session, options.signal);
    for (const { id } of images) {
      store.database.transaction(() => {
        // A build may have named it meanwhile, and one that was removed may have taken it along.
        if (unused(store, options, id).length > 0)
          lines.push(...removeImage(store, id, { force: true }).lines);
      });
    }
    const { layers, strays } = collectGarbage(store);
    const reclaimed = sizeOfRemoved(store);
    if (layers.length > 0 || strays.length > 0) await session.worker();
    return { lines, reclaimed };
  });
}

/** Bytes of the layers that are about to be deleted. */
function sizeOfRemoved(store: Store): number {
  const row = store.database.get<{ size: number | null }>(
    "SELECT sum(coalesce(disk_size, size)) AS size FROM layers WHERE state = 'removing'",
  );
  return row?.size ?? 0;
}

/** `only`: an image that alone is asked about. */
function unused(
  store: Store,
  { all = false, filters = new Map(), now = Date.now() }: PruneImagesOptions,
  only?: Digest,
): ImageRecord[] {
  // As Docker's client: what `all` says is one more value of the filter, and may not contradict it.
  const danglingOnly = booleanFilter([...(filters.get('dangling') ?? []), String(!all)], 'dangling');
  const before = (filters.get('until') ?? []).map((value: string) => timeOrAge(value, now));
  const images = listImages(store);
  const parents = new Set(images.map(({ parent }) => parent));
  return images.filter((image) => {
    if (only !== undefined && image.id !== only) return false;
    const named = image.tags.length + image.digests.length > 0 || image.indexed === true;
    if (parents.has(image.id) || (danglingOnly && named)) return false;
    return (
      before.every((time: number) => Date.parse(image.created) < time) &&
      (filters.get('label') ?? []).every((label: string) => hasLabel(store, image, label)) &&
      !(filters.get('label!') ?? []).some((label: string) => hasLabel(store, image, label))
    );
  });
}
