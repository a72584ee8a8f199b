import { resolve } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { readDocument } from '../../export/archive-files.ts';
import { openDirectoryFiles } from '../../export/directory-files.ts';
import { ociImages } from '../../export/oci-images.ts';
import type { Digest, Platform } from '../../image/types.ts';
import { imageById } from '../../store/images.ts';
import type { Store } from '../../store/store.ts';
import { load } from '../load.ts';
import type { BuildOptions } from '../options.ts';
import type { NamedContextSpec } from './named-context.ts';

/**
 * Takes one image of an OCI layout into the store, without a name: the one with the digest or the tag given, with
 * neither the one tagged `latest`, else the only one. Gives its id.
 *
 * @throws SlipwayError `not-found` LAYOUT_IMAGE_NOT_FOUND, those of `load`
 */
export async function loadLayout(
  spec: Extract<NamedContextSpec, { kind: 'layout' }>,
  use: {
    store: Store;
    cwd: string;
    env: NodeJS.ProcessEnv;
    options: BuildOptions;
    platform: Platform;
    signal: AbortSignal;
  },
): Promise<Digest> {
  const { path, tag, digest } = spec;
  const { store, cwd, env, options, platform, signal } = use;
  const directory = resolve(cwd, path);
  const select = { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
  const files = openDirectoryFiles(directory);
  const index = files.find('index.json');
  const [image] =
    index === undefined ? [] : await ociImages(files, await readDocument(index), { platform, select });
  if (image === undefined) {
    throw new SlipwayError(
      'not-found',
      `there is no image ${digest ?? tag ?? 'latest'} in the OCI layout ${path}`,
      {
        code: 'LAYOUT_IMAGE_NOT_FOUND',
        hint:
          index === undefined
            ? 'That directory has no index.json: it is no OCI layout.'
            : 'Name another with :TAG or @DIGEST behind the path.',
      },
    );
  }
  // Nothing has to be read when it is here already.
  if (imageById(store, image.id) !== undefined) return image.id;
  const { isolation } = options;
  await load({ input: directory, select, platform, root: store.root, env, isolation, signal });
  return image.id;
}
