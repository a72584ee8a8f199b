import { parseReference } from '../image/reference.ts';
import type { Descriptor, Digest } from '../image/types.ts';
import { type LayerId, layerRowOf } from './layout.ts';
import { getValue, putValue } from './memory.ts';
import type { Store } from './store.ts';

/** Beginning of the names under which descriptors are kept; what follows is a diffID, then how it was compressed. */
const PREFIX = 'layer-blob ';

/** How a layer was compressed, as far as that decides what the blob is. */
export interface BlobEncoding {
  compression: string;
  level?: number;
}

/** What a layer's blob was when it was last compressed this way. The blob itself is not kept. */
export function knownBlob(store: Store, diffId: Digest, encoding: BlobEncoding): Descriptor | undefined {
  const text = getValue(store, nameOf(diffId, encoding));
  return text === undefined ? undefined : (JSON.parse(text) as Descriptor);
}

/** Remembers that, for as long as the layer is in the store. */
export function rememberBlob(
  store: Store,
  diffId: Digest,
  encoding: BlobEncoding,
  { mediaType, digest, size }: Descriptor,
): void {
  putValue(store, nameOf(diffId, encoding), JSON.stringify({ mediaType, digest, size }));
}

/** Forgets the blobs of layers that are gone. */
export function forgetOldBlobs(store: Store): void {
  store.database.run(
    `DELETE FROM named_values WHERE name >= ? AND name < ?
       AND NOT EXISTS (SELECT 1 FROM layers WHERE state = 'ready' AND diff_id = substr(named_values.name, ?, 71))`,
    PREFIX,
    `${PREFIX}t`,
    PREFIX.length + 1,
  );
}

/** Most repositories that are asked for one blob. */
const MOST_REPOSITORIES = 3;

/** Repositories of a registry that have an image with this layer: pulled from there or pushed to it. */
export function repositoriesWithLayer(store: Store, layer: LayerId, registry: string): string[] {
  const rows = store.database.all<{ name: string }>(
    `SELECT image_digests.name FROM image_digests JOIN image_layers ON image_layers.image = image_digests.image
       WHERE image_layers.layer = ? AND image_digests.name >= ? AND image_digests.name < ? ORDER BY image_digests.name`,
    layerRowOf(layer),
    `${registry}/`,
    `${registry}0`,
  );
  return [...new Set(rows.map(({ name }) => parseReference(name).path))].slice(0, MOST_REPOSITORIES);
}

function nameOf(diffId: Digest, { compression, level }: BlobEncoding): string {
  return `${PREFIX}${diffId} ${compression}${level === undefined ? '' : ` ${level}`}`;
}
