import { SlipwayError } from '../errors/index.ts';
import { digestOf } from '../image/digest.ts';
import { parseIndex } from '../image/parse-manifest.ts';
import { localPlatform, samePlatform } from '../image/platform.ts';
import type { Digest, Platform } from '../image/types.ts';
import type { Store } from './store.ts';

/** An image for several platforms: an index document, and which images of the store its manifests stand for. */
export interface IndexRecord {
  /** Digest of the document. */
  id: Digest;
  /** An OCI index, as it would be written with layers that are not compressed. */
  document: Buffer;
  /** In the order of the document. */
  members: { image: Digest; platform: Platform }[];
  /** Normalised names, sorted. */
  names: string[];
}

/**
 * Writes an index whose images are in the store. Names are given by `nameIndex`.
 *
 * @throws SlipwayError `DOCUMENT_INVALID`
 */
export function putIndex(store: Store, document: Buffer, images: readonly Digest[]): Digest {
  const id = digestOf(document);
  if (parseIndex(document).manifests.length !== images.length) {
    throw new SlipwayError('internal', `the index ${id} has another number of images`, {
      code: 'INDEX_MEMBERS',
    });
  }
  store.database.transaction(() => {
    const { changes } = store.database.run(
      'INSERT OR IGNORE INTO indexes (id, document) VALUES (?, ?)',
      id,
      document,
    );
    if (changes === 0) return;
    for (const [position, image] of images.entries()) {
      store.database.run(
        'INSERT INTO index_images (index_id, position, image) VALUES (?, ?, ?)',
        id,
        position,
        image,
      );
    }
  });
  return id;
}

/** Says that a name, which the index's image for this machine has, stands for all of the index. */
export function nameIndex(store: Store, name: string, id: Digest): void {
  store.database.run('INSERT OR REPLACE INTO index_names (name, index_id) VALUES (?, ?)', name, id);
}

/** The index that a name or an id stands for. */
export function indexOf(store: Store, name: string): IndexRecord | undefined {
  const row = store.database.get<{ id: string; document: Uint8Array }>(
    `SELECT id, document FROM indexes
       WHERE id = ?1 OR id = (SELECT index_id FROM index_names WHERE name = ?1)`,
    name,
  );
  return row && recordOf(store, row);
}

/** The indexes that an image is part of. */
export function indexesWith(store: Store, image: Digest): IndexRecord[] {
  return store.database
    .all<{ id: string; document: Uint8Array }>(
      'SELECT DISTINCT id, document FROM indexes JOIN index_images ON index_id = id WHERE image = ? ORDER BY id',
      image,
    )
    .map((row) => recordOf(store, row));
}

/** Ids of images that are part of an index with a name. */
export function imagesInIndexes(store: Store): Set<Digest> {
  const rows = store.database.all<{ image: string }>(
    'SELECT DISTINCT image FROM index_images WHERE index_id IN (SELECT index_id FROM index_names)',
  );
  return new Set(rows.map(({ image }) => image));
}

/** Removes an index with its names; its images stay. */
export function dropIndex(store: Store, id: Digest): void {
  store.database.run('DELETE FROM index_names WHERE index_id = ?', id);
  store.database.run('DELETE FROM indexes WHERE id = ?', id);
}

/** The member that stands for an index where one image is asked for: this machine's, or else the first. */
export function memberFor(
  { members }: Pick<IndexRecord, 'members'>,
  wanted: Platform = localPlatform(),
): IndexRecord['members'][number] {
  return members.find(({ platform }) => samePlatform(platform, wanted)) ?? members[0]!;
}

function recordOf(store: Store, row: { id: string; document: Uint8Array }): IndexRecord {
  const document = Buffer.from(row.document);
  const images = store.database.all<{ image: string }>(
    'SELECT image FROM index_images WHERE index_id = ? ORDER BY position',
    row.id,
  );
  const { manifests } = parseIndex(document);
  return {
    id: row.id,
    document,
    members: images.map(({ image }, position) => ({ image, platform: manifests[position]!.platform! })),
    names: store.database
      .all<{ name: string }>('SELECT name FROM index_names WHERE index_id = ? ORDER BY name', row.id)
      .map(({ name }) => name),
  };
}
