import { resolve } from 'node:path';
import type { ExportRequest } from '../execute/worker/export-operations.ts';
import { imageForExport } from '../export/image-source.ts';
import { findImage } from '../store/find-image.ts';
import { imageLayers } from '../store/images.ts';
import { holdLayers } from '../store/layers.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export interface SaveOptions extends StoreOptions {
  /** Names or ids; an image given by id is saved without names. */
  images: readonly string[];
  /** Path of the archive; undefined writes to standard output. */
  output?: string | undefined;
}

/**
 * Writes images as one archive, as `docker save` does. A file appears under its name only when it is whole.
 * Throws `not-found` for an unknown image, before anything is written.
 */
export function save(options: SaveOptions): Promise<void> {
  const { output, signal } = options;
  return withSession({ ...options, inheritStdio: output === undefined }, async (store, session) => {
    const found = options.images.map((text) => findImage(store, text));
    for (const { image } of found) {
      holdLayers(
        store,
        session.lease(),
        imageLayers(store, image.id).map((layer) => layer.id),
      );
    }
    const request: ExportRequest = {
      format: 'docker-archive',
      images: found.map(({ image, name }) =>
        imageForExport(store, image.id, name === undefined ? [] : [name]),
      ),
      output: output === undefined ? { kind: 'fd', fd: 1 } : { kind: 'file', path: resolve(output) },
    };
    const { client } = await session.worker();
    await client.call('export', request, signal ? { signal } : {});
  });
}
