import { SlipwayError } from '../errors/index.ts';
import { formatReference, parseReference, withDefaultTag } from '../image/reference.ts';
import type { Digest } from '../image/types.ts';
import { type ImageRecord, imageById, imageByName, noImage } from './images.ts';
import { type IndexRecord, indexOf, memberFor } from './indexes.ts';
import type { Store } from './store.ts';

/** How a text named an image: `rmi` treats names and ids differently. */
export interface FoundImage {
  image: ImageRecord;
  /** The normalised name, when it was one. */
  name?: string;
  /** What is named is for several platforms, and `image` the one for this machine. */
  index?: IndexRecord;
}

/**
 * Finds an image as Docker does: by full id, then by name (`latest` filled in), then by the start of an id.
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`, `AMBIGUOUS_ID`, `REFERENCE_INVALID`.
 */
export function findImage(store: Store, text: string): FoundImage {
  const found = lookUp(store, text);
  if (found === undefined) throw noImage(text);
  return found;
}

/** As `findImage`, but undefined when nothing has that name or id. */
export function lookUp(store: Store, text: string): FoundImage | undefined {
  const hex = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
  if (/^[0-9a-f]{64}$/.test(hex)) {
    return byId(store, `sha256:${hex}`);
  }
  if (hex === text) {
    const byName = lookUpName(store, text);
    if (byName !== undefined) return byName;
  }
  if (!/^[0-9a-f]{1,63}$/.test(hex)) return undefined;
  const ids = imagesWithPrefix(store, `sha256:${hex}`);
  if (ids.length > 1) {
    throw new SlipwayError('invalid', `the id ${text} is ambiguous: ${ids.length} images start with it`, {
      code: 'AMBIGUOUS_ID',
      hint: `Give more of it: ${ids.slice(0, 4).join(', ')}`,
    });
  }
  return ids[0] === undefined ? undefined : byId(store, ids[0]);
}

function byId(store: Store, id: Digest): FoundImage | undefined {
  const image = imageById(store, id);
  if (image !== undefined) return { image };
  const index = indexOf(store, id);
  return index && { image: imageById(store, memberFor(index).image)!, index };
}

function named(store: Store, name: string): FoundImage | undefined {
  const image = imageByName(store, name);
  const index = image && indexOf(store, name);
  return image && { image, name, ...(index && { index }) };
}

function lookUpName(store: Store, text: string): FoundImage | undefined {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) {
    // With a digest the tag says nothing.
    const { domain, path, digest } = reference;
    return named(store, formatReference({ domain, path, digest }));
  }
  return named(store, formatReference(reference));
}

function imagesWithPrefix(store: Store, prefix: Digest): Digest[] {
  // Ids hold neither % nor _, and the range keeps to the primary key.
  return store.database
    .all<{ id: string }>(
      `SELECT id FROM images WHERE id >= ?1 AND id < ?2
         UNION SELECT id FROM indexes WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 100`,
      prefix,
      `${prefix}g`,
    )
    .map((row) => row.id);
}
