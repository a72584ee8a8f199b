import type { CacheEntry } from '../store/gc/cache-entries.ts';
import { freedBytes } from '../store/gc/choose.ts';
import { type ImageRecord, listImages } from '../store/images.ts';
import { endDeadLeases } from '../store/leases.ts';
import type { Store } from '../store/store.ts';
import { measuredEntries, measureImageLayers } from './measure-entries.ts';
import { mergeEntries, mountEntries } from './mount-entries.ts';
import { type StoreOptions, withSession } from './with-session.ts';

/** What a store takes on the disk. All sizes are bytes of the disk, and no byte is in two of them but where it says so. */
export interface DiskUsage {
  images: ImageUsage[];
  /** Of the layers of all images, each once. */
  imageBytes: number;
  /** What goes when all images go: their layers that the build cache does not keep. */
  imageReclaimable: number;
  /** The build cache, the most recently used first. */
  cache: CacheEntry[];
  /** Of the entries that no image needs. */
  cacheBytes: number;
  /** Of these, what no build at work holds. */
  cacheReclaimable: number;
  /** Part of `imageBytes` that goes only when both the images and the records of the build cache go. */
  bothBytes: number;
}

export interface ImageUsage {
  image: ImageRecord;
  /** Of its layers that something else needs too: another image or the build cache. */
  sharedBytes: number;
  /** What goes when the image goes. */
  uniqueBytes: number;
}

/** What images and build cache take, and what could be had back: as `docker system df`, but measured on the disk. */
export function diskUsage(options: StoreOptions = {}): Promise<DiskUsage> {
  return withSession(options, async (store, session) => {
    endDeadLeases(store);
    await measureImageLayers(store, session, options.signal);
    const layers = await measuredEntries(store, session, { signal: options.signal });
    const cache = mergeEntries(layers, await mountEntries(store, session, options.signal)).reverse();
    const sums = imageSums(store);
    const own = cache.filter(({ shared }) => !shared);
    const sum = (entries: readonly CacheEntry[]): number =>
      entries.reduce((bytes, entry) => bytes + freedBytes(entry), 0);
    return {
      images: imageUsages(store),
      imageBytes: sums.bytes,
      imageReclaimable: sums.bytes - sums.cached,
      cache,
      cacheBytes: sum(own),
      cacheReclaimable: sum(own.filter(({ inUse }) => !inUse)),
      bothBytes: sums.cached,
    };
  });
}

const BYTES = 'coalesce(layers.disk_size, layers.size, 0)';
/** A record of a step keeps the layer. */
const CACHED = 'EXISTS (SELECT 1 FROM steps WHERE steps.layer = layers.id)';

function imageSums(store: Store): { bytes: number; cached: number } {
  return store.database.get<{ bytes: number; cached: number }>(
    `SELECT coalesce(sum(${BYTES}), 0) AS bytes, coalesce(sum(CASE WHEN ${CACHED} THEN ${BYTES} END), 0) AS cached
     FROM layers WHERE EXISTS (SELECT 1 FROM image_layers WHERE image_layers.layer = layers.id)`,
  )!;
}

function imageUsages(store: Store): ImageUsage[] {
  const rows = store.database.all<{ image: string; all_bytes: number; shared: number }>(
    `SELECT image, sum(bytes) AS all_bytes, sum(CASE WHEN needed THEN bytes ELSE 0 END) AS shared FROM (
       SELECT DISTINCT image_layers.image AS image, layers.id, ${BYTES} AS bytes,
         ${CACHED} OR EXISTS (SELECT 1 FROM image_layers AS other
           WHERE other.layer = layers.id AND other.image <> image_layers.image) AS needed
       FROM image_layers JOIN layers ON layers.id = image_layers.layer
     ) GROUP BY image`,
  );
  const byImage = new Map(rows.map((row) => [row.image, row]));
  return listImages(store).map((image) => {
    const { all_bytes: all = 0, shared = 0 } = byImage.get(image.id) ?? {};
    return { image, sharedBytes: shared, uniqueBytes: all - shared };
  });
}
