import { SlipwayError } from '../../errors/index.ts';
import { localPlatform } from '../../image/platform.ts';
import {
  formatReference,
  type ImageReference,
  isTag,
  parseReference,
  withDefaultTag,
} from '../../image/reference.ts';
import { refuseLocalPlace } from '../../image/transport.ts';
import type { Digest, Platform } from '../../image/types.ts';
import { askEndpoints } from '../../registry/ask-endpoints.ts';
import { resolveImage } from '../../registry/resolve-image.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { openRegistries, type RegistryAccess } from '../registry-access.ts';
import { type StoreOptions, withSession } from '../with-session.ts';
import { pullImage } from './pull-image.ts';
import type { LayerProgress } from './pull-layers.ts';

/** What happens in a pull, in order. */
export type PullEvent =
  | { type: 'pulling'; reference: ImageReference }
  | ({ type: 'layer' } & LayerProgress)
  | { type: 'pulled'; image: PulledImage };

export interface PulledImage {
  /** Normalised, with tag or digest. */
  reference: string;
  /** What it stands for in the registry: of an index or a manifest. */
  digest: Digest;
  imageId: Digest;
  /** The name meant another image before, or none. */
  updated: boolean;
}

export interface PullOptions extends StoreOptions, Pick<RegistryAccess, 'credentials' | 'insecure'> {
  /** `name[:tag|@digest]`; without either `latest`. */
  reference: string;
  /** Every tag of the repository; the name then has none. */
  allTags?: boolean;
  /** Default: this machine's. */
  platform?: Platform | undefined;
  onEvent?: (event: PullEvent) => void;
}

/**
 * Brings an image of a registry into the store, as `docker pull` does: layers that are here are not fetched, the others
 * are verified before they count. Gives what was pulled, with `allTags` one for each tag.
 *
 * @throws SlipwayError `usage` TAG_WITH_ALL_TAGS; `syntax` REFERENCE_INVALID; those of `resolveImage` and `pullLayers`
 */
export async function pull(options: PullOptions): Promise<PulledImage[]> {
  const env = options.env ?? process.env;
  const { signal, credentials, insecure } = options;
  refuseLocalPlace(options.reference);
  const named = parseReference(options.reference);
  if (options.allTags === true && (named.tag !== undefined || named.digest !== undefined)) {
    throw new SlipwayError('usage', "tag can't be used with --all-tags/-a", { code: 'TAG_WITH_ALL_TAGS' });
  }
  const pool = openRegistries({
    env,
    signal,
    ...(credentials && { credentials }),
    ...(insecure && { insecure }),
  });
  try {
    return await withSession(options, async (store, session) => {
      const references =
        options.allTags === true ? await allTags(pool, named, signal) : [withDefaultTag(named)];
      const pulled: PulledImage[] = [];
      for (const reference of references) {
        const image = await resolveImage(pool, reference, options.platform ?? localPlatform(), { signal });
        options.onEvent?.({ type: 'pulling', reference });
        const stored = await pullImage(image, reference, {
          store,
          session,
          env,
          signal,
          onProgress: (progress) => options.onEvent?.({ type: 'layer', ...progress }),
        });
        const done = { reference: formatReference(reference), digest: image.digest, ...stored };
        options.onEvent?.({ type: 'pulled', image: done });
        pulled.push(done);
      }
      return pulled;
    });
  } finally {
    await pool.close();
  }
}

async function allTags(
  pool: RegistryPool,
  { domain, path }: ImageReference,
  signal: AbortSignal | undefined,
): Promise<ImageReference[]> {
  const endpoints = await pool.endpointsFor(domain, path, 'resolve');
  const tags = await askEndpoints(endpoints, async ({ client, repository }) => {
    const found: string[] = [];
    for await (const tag of client.listTags(repository, { signal })) found.push(tag);
    return found;
  });
  return (tags ?? []).filter(isTag).map((tag) => ({ domain, path, tag }));
}
