import { SlipwayError } from '../errors/index.ts';
import { digestOf } from '../image/digest.ts';
import { parseImageConfig } from '../image/parse-config.ts';
import {
  checkNewName,
  familiarReference,
  formatReference,
  isReference,
  parseReference,
  placeHint,
  withDefaultTag,
} from '../image/reference.ts';
import { ZERO_TIME } from '../image/time.ts';
import type { Digest, ImageConfig } from '../image/types.ts';
import { imagesInIndexes } from './indexes.ts';
import { type LayerRecord, layerById, layersForChain } from './layers.ts';
import { layerIdOf, layerRowOf } from './layout.ts';
import type { Store } from './store.ts';

/** An image of the store. */
export interface ImageRecord {
  /** Digest of the configuration's bytes. */
  id: Digest;
  /** RFC 3339; Go's zero time when the image does not say. */
  created: string;
  /** Bytes of all layers' files. */
  size: number;
  parent?: Digest;
  /** When it came into the store, and when it last got a name: milliseconds since 1970. */
  addedMs: number;
  taggedMs?: number;
  /** Normalised names (`docker.io/library/x:1`), sorted. */
  tags: string[];
  /** Names with digests (`docker.io/library/x@sha256:…`), sorted. */
  digests: string[];
  /** It is part of an image for several platforms that has a name. */
  indexed?: true;
}

export interface NewImage {
  /** The configuration, byte for byte. */
  config: Buffer;
  /** The manifest it came with, byte for byte. */
  manifest?: Buffer;
  /** The image it was made from on this machine, where that is known. */
  parent?: Digest;
  /** Normalised names that it gets at once; each is taken from the image that has it. */
  tags?: readonly string[];
  /** Normalised names with digests. */
  digests?: readonly string[];
}

/** A name that another image had before. */
export interface MovedTag {
  name: string;
  from: Digest;
}

/**
 * Writes an image and its names in one transaction. Writing one that is there already adds what is new.
 *
 * @throws SlipwayError `LAYERS_MISSING` when not all of its layers are in the store, `DOCUMENT_INVALID`.
 */
export function putImage(store: Store, image: NewImage): { id: Digest; moved: MovedTag[] } {
  const config = parseImageConfig(image.config);
  const id = digestOf(image.config);
  const names = (image.tags ?? []).map(checkedTag);
  return store.database.transaction(() => {
    const chain = layersForChain(store, config.rootfs.diff_ids);
    if ('missing' in chain) throw missingLayers(id, chain.missing);
    const size = chain.layers.reduce((sum, layer) => sum + layer.size, 0);
    const { changes } = store.database.run(
      `INSERT OR IGNORE INTO images (id, config, manifest, parent, created, size, added_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      id,
      image.config,
      image.manifest ?? null,
      image.parent ?? null,
      config.created ?? ZERO_TIME,
      size,
      Date.now(),
    );
    if (changes > 0) {
      chain.layers.forEach((layer, position) => {
        store.database.run(
          'INSERT INTO image_layers (image, position, layer) VALUES (?, ?, ?)',
          id,
          position,
          layerRowOf(layer.id),
        );
      });
    } else if (image.manifest !== undefined) {
      store.database.run(
        'UPDATE images SET manifest = ? WHERE id = ? AND manifest IS NULL',
        image.manifest,
        id,
      );
    }
    if (changes === 0 && image.parent !== undefined && image.parent !== id) {
      store.database.run('UPDATE images SET parent = ? WHERE id = ? AND parent IS NULL', image.parent, id);
    }
    const moved = names.flatMap((name) => moveTag(store, name, id));
    for (const digest of image.digests ?? []) {
      forgetIndexName(store, digest);
      store.database.run('INSERT OR REPLACE INTO image_digests (name, image) VALUES (?, ?)', digest, id);
    }
    return { id, moved };
  });
}

/**
 * Gives an image a name, taking it from the image that has it (which is returned, and may be dangling now).
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`; `TAG_INVALID` for a name that is not normalised or holds a digest; as
 * `checkNewName`.
 */
export function tagImage(store: Store, name: string, id: Digest): MovedTag | undefined {
  const checked = checkedTag(name);
  return store.database.transaction(() => {
    if (store.database.get('SELECT 1 FROM images WHERE id = ?', id) === undefined) throw noImage(id);
    return moveTag(store, checked, id)[0];
  });
}

/** Takes a name away; the image stays. Returns the image that had it, undefined if there is no such name. */
export function untagImage(store: Store, name: string): Digest | undefined {
  forgetIndexName(store, name);
  return store.database.get<{ image: string }>('DELETE FROM tags WHERE name = ? RETURNING image', name)
    ?.image;
}

/** All images, newest first by `created`, then by when they came into the store. */
export function listImages(store: Store): ImageRecord[] {
  const rows = store.database.all<ImageRow>(`${SELECT_IMAGE} ORDER BY created DESC, added_ms DESC, id`);
  const tags = namesByImage(store, 'tags');
  const digests = namesByImage(store, 'image_digests');
  const indexed = imagesInIndexes(store);
  return rows.map((row) => ({
    ...recordOf(row, tags.get(row.id) ?? [], digests.get(row.id) ?? []),
    ...(indexed.has(row.id) && { indexed: true as const }),
  }));
}

/** The image with this id. */
export function imageById(store: Store, id: Digest): ImageRecord | undefined {
  const row = store.database.get<ImageRow>(`${SELECT_IMAGE} WHERE id = ?`, id);
  if (row === undefined) return undefined;
  const names = (table: 'tags' | 'image_digests') =>
    store.database
      .all<{ name: string }>(`SELECT name FROM ${table} WHERE image = ? ORDER BY name`, id)
      .map(({ name }) => name);
  return recordOf(row, names('tags'), names('image_digests'));
}

/** The image that has this normalised name, with a tag or a digest. */
export function imageByName(store: Store, name: string): ImageRecord | undefined {
  const row =
    store.database.get<{ image: string }>('SELECT image FROM tags WHERE name = ?', name) ??
    store.database.get<{ image: string }>('SELECT image FROM image_digests WHERE name = ?', name);
  return row && imageById(store, row.image);
}

/** The tagged names of a repository (`docker.io/library/x`), sorted, with their images. */
export function namesOfRepository(store: Store, repository: string): { name: string; image: Digest }[] {
  // A tag holds no colon, and `;` comes after it: the range keeps to the primary key.
  return store.database.all<{ name: string; image: string }>(
    'SELECT name, image FROM tags WHERE name >= ? AND name < ? ORDER BY name',
    `${repository}:`,
    `${repository};`,
  );
}

/** Configuration and manifest of an image as they were put in. Undefined if there is no such image. */
export function imageDocuments(
  store: Store,
  id: Digest,
): { config: Buffer; parsed: ImageConfig; manifest?: Buffer } | undefined {
  const row = store.database.get<{ config: Uint8Array; manifest: Uint8Array | null }>(
    'SELECT config, manifest FROM images WHERE id = ?',
    id,
  );
  if (row === undefined) return undefined;
  const config = Buffer.from(row.config);
  return {
    config,
    parsed: parseImageConfig(config),
    ...(row.manifest === null ? {} : { manifest: Buffer.from(row.manifest) }),
  };
}

/** The layers of an image, bottom first. */
export function imageLayers(store: Store, id: Digest): LayerRecord[] {
  const rows = store.database.all<{ layer: number }>(
    'SELECT layer FROM image_layers WHERE image = ? ORDER BY position',
    id,
  );
  return rows.map(({ layer }) => {
    const record = layerById(store, layerIdOf(layer));
    if (record === undefined) throw missingLayers(id, [layerIdOf(layer)]);
    return record;
  });
}

/** Ids of the images made from this one. */
export function imageChildren(store: Store, id: Digest): Digest[] {
  return store.database
    .all<{ id: string }>('SELECT id FROM images WHERE parent = ? ORDER BY id', id)
    .map((row) => row.id);
}

/** An image, its parent, the parent's parent, as far as they are in the store. Throws `IMAGE_NOT_FOUND`. */
export function imageAncestry(store: Store, id: Digest): [ImageRecord, ...ImageRecord[]] {
  const image = imageById(store, id);
  if (image === undefined) throw noImage(id);
  const line: [ImageRecord, ...ImageRecord[]] = [image];
  for (let next = image.parent; next !== undefined; next = line.at(-1)!.parent) {
    const parent = imageById(store, next);
    // An index that somebody has changed by hand may go round in a circle.
    if (parent === undefined || line.some((one) => one.id === parent.id)) break;
    line.push(parent);
  }
  return line;
}

/** A name stands for one image again. */
function forgetIndexName(store: Store, name: string): void {
  store.database.run('DELETE FROM index_names WHERE name = ?', name);
}

function moveTag(store: Store, name: string, id: Digest): MovedTag[] {
  forgetIndexName(store, name);
  const before = store.database.get<{ image: string }>('SELECT image FROM tags WHERE name = ?', name)?.image;
  if (before !== id) {
    store.database.run('INSERT OR REPLACE INTO tags (name, image) VALUES (?, ?)', name, id);
  }
  store.database.run('UPDATE images SET tagged_ms = ? WHERE id = ?', Date.now(), id);
  return before === undefined || before === id ? [] : [{ name, from: before }];
}

function checkedTag(name: string): string {
  const reference = parseReference(name);
  checkNewName(reference);
  if (reference.tag === undefined || reference.digest !== undefined || formatReference(reference) !== name) {
    throw new SlipwayError('usage', `${name} is not a full name with a tag and without a digest`, {
      code: 'TAG_INVALID',
    });
  }
  return name;
}

interface ImageRow {
  id: string;
  created: string;
  size: number;
  parent: string | null;
  added_ms: number;
  tagged_ms: number | null;
}

const SELECT_IMAGE = 'SELECT id, created, size, parent, added_ms, tagged_ms FROM images';

function recordOf(row: ImageRow, tags: string[], digests: string[]): ImageRecord {
  return {
    id: row.id,
    created: row.created,
    size: row.size,
    ...(row.parent === null ? {} : { parent: row.parent }),
    addedMs: row.added_ms,
    ...(row.tagged_ms === null ? {} : { taggedMs: row.tagged_ms }),
    tags,
    digests,
  };
}

function namesByImage(store: Store, table: 'tags' | 'image_digests'): Map<Digest, string[]> {
  const names = new Map<Digest, string[]>();
  const rows = store.database.all<{ name: string; image: string }>(
    `SELECT name, image FROM ${table} ORDER BY name`,
  );
  for (const { name, image } of rows) {
    const list = names.get(image);
    if (list === undefined) names.set(image, [name]);
    else list.push(name);
  }
  return names;
}

function missingLayers(id: Digest, missing: readonly string[]): SlipwayError {
  return new SlipwayError(
    'conflict',
    `image ${id} needs layers that are not in the store: ${missing.join(', ')}`,
    {
      code: 'LAYERS_MISSING',
      hint: 'They were removed meanwhile. Try again.',
    },
  );
}

/** Docker's words for a name or id that nothing has: what may be a name is said in its short form, with its tag. */
export function noImage(text: string): SlipwayError {
  const name = isReference(text) ? familiarReference(withDefaultTag(parseReference(text))) : text;
  return new SlipwayError('not-found', `No such image: ${name}`, {
    code: 'IMAGE_NOT_FOUND',
    hint: placeHint(text),
  });
}
