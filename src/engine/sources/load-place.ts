import { SlipwayError } from '../../errors/index.ts';
import type { LayoutSelect } from '../../export/archive-image.ts';
import { archiveImages } from '../../export/archive-images.ts';
import { openArchiveInPlace } from '../../export/input.ts';
import { normalizeReference } from '../../image/reference.ts';
import type { LocalPlace } from '../../image/transport.ts';
import type { Digest, Platform } from '../../image/types.ts';
import { imageById } from '../../store/images.ts';
import type { Store } from '../../store/store.ts';
import { load } from '../load.ts';
import type { BuildOptions } from '../options.ts';

export interface LoadPlaceOptions {
  /** Absolute path of what is read. */
  path: string;
  store: Store;
  env: NodeJS.ProcessEnv;
  options: BuildOptions;
  platform: Platform;
  signal: AbortSignal;
}

/**
 * Takes one image of a layout or an archive into the store, without a name: the one with the digest or the tag given,
 * with neither the one tagged `latest`, else the only one. Gives its id. Where it is here already, only documents are
 * read, unless the archive is compressed.
 *
 * @throws SlipwayError `not-found` LAYOUT_IMAGE_NOT_FOUND, those of `load`
 */
export async function loadPlace(place: LocalPlace, use: LoadPlaceOptions): Promise<Digest> {
  const { path, store, env, options, platform, signal } = use;
  const select = selectOf(place);
  const files = openArchiveInPlace(path, place.path);
  if (files !== undefined) {
    try {
      const { images } = await foundIn(place, archiveImages(files, { platform, select }));
      if (images.length === 0) throw noImageThere(place);
      const [image] = images;
      if (imageById(store, image!.id) !== undefined) return image!.id;
    } finally {
      files.close();
    }
  }
  const { isolation } = options;
  const loaded = await foundIn(
    place,
    load({ input: path, select, nameless: true, platform, root: store.root, env, isolation, signal }),
  );
  return loaded[0]!.id;
}

function selectOf({ archive, tag, digest }: LocalPlace): LayoutSelect {
  if (archive === 'docker')
    return { docker: true, only: true, ...(tag !== undefined && { name: normalizeReference(tag) }) };
  return { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

async function foundIn<T>(place: LocalPlace, looking: Promise<T>): Promise<T> {
  try {
    return await looking;
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    if (error.code === 'ARCHIVE_IMAGE_NOT_FOUND') throw noImageThere(place);
    if (error.code !== 'ARCHIVE_INVALID') throw error;
    throw new SlipwayError(error.kind, `${place.path}: ${error.message}`, error.details());
  }
}

function noImageThere({ archive, path, tag, digest }: LocalPlace): SlipwayError {
  const what = archive === undefined ? 'OCI layout' : `${archive === 'oci' ? 'OCI' : 'Docker'} archive`;
  const wanted = digest ?? tag ?? (archive === 'docker' ? '' : 'latest');
  return new SlipwayError(
    'not-found',
    wanted === ''
      ? `there is more than one image in the ${what} ${path}`
      : `there is no image ${wanted} in the ${what} ${path}`,
    {
      code: 'LAYOUT_IMAGE_NOT_FOUND',
      hint:
        archive === 'docker'
          ? 'Name the image with :NAME behind the path.'
          : 'Name another with :TAG or @DIGEST behind the path.',
    },
  );
}
