import { resolve } from 'node:path';
import type { ExportRequest } from '../execute/worker/export-operations.ts';
import { storeContent } from '../export/store-content.ts';
import { familiarReference, formatReference, parseReference } from '../image/reference.ts';
import type { Platform } from '../image/types.ts';
import { type FoundImage, findImage } from '../store/find-image.ts';
import { forPlatforms } from '../store/find-platform.ts';
import { imageLayers, namesOfRepository } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export interface SaveOptions extends StoreOptions {
  /** Names or ids; an image given by id is saved without names, a repository without a tag with all of its tags. */
  images: readonly string[];
  /** Path of the archive; undefined writes to standard output. */
  output?: string | undefined;
  /** Only the images for these platforms. */
  platforms?: readonly Platform[] | undefined;
  /** Told what will keep others from reading the archive. */
  onWarning?: (text: string) => void;
}

/** More layers Docker refuses to load (`max depth exceeded`); Podman takes them. */
const DOCKER_LAYERS = 125;

/**
 * Writes images as one archive, as `docker save` does. A file appears under its name only when it is whole.
 * Throws `not-found` for an unknown image, before anything is written.
 */
export function save(options: SaveOptions): Promise<void> {
  const { output, signal, onWarning } = options;
  return withSession({ ...options, inheritStdio: output === undefined }, async (store, session) => {
    const wanted = options.images.flatMap((text) =>
      wantedImages(store, text).map((found) => forPlatforms(store, { text, found }, options.platforms)),
    );
    for (const { image, name, index } of wanted) {
      const text = name === undefined ? image.id : familiarReference(parseReference(name));
      for (const id of index?.members.map((member) => member.image) ?? [image.id]) {
        const { length } = imageLayers(store, id);
        if (length > DOCKER_LAYERS)
          onWarning?.(`${text} has ${length} layers: Docker loads no image of more than ${DOCKER_LAYERS}`);
      }
    }
    const content = storeContent(
      store,
      session.lease(),
      wanted.map((found) => ({ found, names: found.name === undefined ? [] : [found.name] })),
    );
    const request: ExportRequest = {
      format: 'docker-archive',
      ...content,
      output: output === undefined ? { kind: 'fd', fd: 1 } : { kind: 'file', path: resolve(output) },
    };
    const { client } = await session.worker();
    await client.call('export', request, signal ? { signal } : {});
  });
}

/** What one argument stands for. */
function wantedImages(store: Store, text: string): FoundImage[] {
  const repository = bareRepository(text);
  const tags = repository === undefined ? [] : namesOfRepository(store, repository);
  return tags.length > 0 ? tags.map(({ name }) => findImage(store, name)) : [findImage(store, text)];
}

/** The full name of a repository, when the text has neither tag nor digest. */
function bareRepository(text: string): string | undefined {
  if (/^(?:sha256:.*|[0-9a-f]{64})$/.test(text)) return undefined;
  const { tag, digest, ...repository } = parseReference(text);
  return tag === undefined && digest === undefined ? formatReference(repository) : undefined;
}
