import type { Platform } from '../image/types.ts';
import { collectGarbage } from '../store/garbage.ts';
import { type RemovalLine, type RemovalOptions, removeImage, removePlatforms } from '../store/removal.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export interface RemoveOptions extends StoreOptions, Pick<RemovalOptions, 'force' | 'prune'> {
  /** Names or ids. */
  images: readonly string[];
  /** Of images for several platforms only those for these. */
  platforms?: readonly Platform[] | undefined;
  /** Told of each image's lines as it goes. */
  onRemoved: (lines: readonly RemovalLine[]) => void;
  /** Told of an image that could not be removed; the others still go. */
  onError: (error: unknown) => void;
}

/** Removes names and images by Docker's rules, and the layers that nothing needs any more from the disk. */
export function remove(options: RemoveOptions): Promise<void> {
  const { images, platforms, force = false, prune = true, onRemoved, onError } = options;
  return withSession(options, async (store, session) => {
    for (const image of images) {
      try {
        const { lines } =
          platforms === undefined
            ? removeImage(store, image, { force, prune })
            : removePlatforms(store, image, { force, prune, platforms });
        onRemoved(lines);
      } catch (error) {
        onError(error);
      }
    }
    // Deleted when the session closes, which does nothing unless its worker runs.
    const { layers, strays } = collectGarbage(store);
    if (layers.length > 0 || strays.length > 0) await session.worker();
  });
}
