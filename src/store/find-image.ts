import { SlipwayError } from '../errors/index.ts';
import { formatReference, parseReference, withDefaultTag } from '../image/reference.ts';
import type { Digest } from '../image/types.ts';
import { type ImageRecord, imageById, imageByName, noImage } from './images.ts';
import type { Store } from './store.ts';

/** How a text named an image: `rmi` treats names and ids differently. */
export interface FoundImage {
  image: ImageRecord;
  /** The normalised name, when it was one. */
  name?: string;
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
    const image = imageById(store, `sha256:${hex}`);
    return image && { image };
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
  const image = ids[0] === undefined ? undefined : imageById(store, ids[0]);
  return image && { image };
}

function lookUpName(store: Store, text: string): FoundImage | undefined {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) {
    // With a digest the tag says nothing.
    const { domain, path, digest } = reference;
    const name = formatReference({ domain, path, digest });
    const image = imageByName(store, name);
    return image && { image, name };
  }
  const name = formatReference(reference);
  const image = imageByName(store, name);
  return image && { image, name };
}

function imagesWithPrefix(store: Store, prefix: Digest): Digest[] {
  // Ids hold neither % nor _, and the range keeps to the primary key.
  return store.database
    .all<{ id: string }>(
      'SELECT id FROM images WHERE id >= ? AND id < ? ORDER BY id LIMIT 100',
      prefix,
      `${prefix}g`,
    )
    .map((row) => row.id);
}
