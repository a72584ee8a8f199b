import { SlipwayError } from '../../errors/index.ts';
import { isIndexType } from '../../image/media-types.ts';
import { familiarReference, parseReference, withDefaultTag } from '../../image/reference.ts';
import type { Descriptor, Platform } from '../../image/types.ts';
import { askEndpoints } from '../../registry/ask-endpoints.ts';
import { resolveImage } from '../../registry/resolve-image.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { type CacheSource, isBuildKitCache, readCacheManifest } from './cache-source.ts';

/**
 * Reads the documents of a cache in a registry: an artifact of ours, or an image (of an index the one for the platform)
 * with its cache inline.
 *
 * @throws SlipwayError `not-found` CACHE_MISSING; those of `readCacheManifest`, `resolveImage` and `RegistryClient`
 */
export async function registryCache(
  pool: RegistryPool,
  request: { ref: string; platform: Platform; signal: AbortSignal },
): Promise<CacheSource> {
  const { ref, platform, signal } = request;
  const reference = withDefaultTag(parseReference(ref));
  const { domain, path, tag, digest } = reference;
  const asked = await pool.endpointsFor(domain, path, digest === undefined ? 'resolve' : 'pull');
  const top = await askEndpoints(asked, ({ client, repository }) =>
    client.getManifest(repository, digest ?? tag!, { signal }),
  );
  if (top === undefined) {
    throw new SlipwayError('not-found', `${familiarReference(reference)}: not found`, {
      code: 'CACHE_MISSING',
    });
  }
  const endpoints = await pool.endpointsFor(domain, path, 'pull');
  const readBlob = async (descriptor: Descriptor): Promise<Buffer> =>
    (await askEndpoints(endpoints, ({ client, repository }) =>
      client.readBlob(repository, descriptor, { signal }),
    ))!;
  // An index of BuildKit's is no image of any platform; `readCacheManifest` says what it is.
  const isImageIndex = isIndexType(top.mediaType) && !isBuildKitCache(top.bytes);
  const manifest = isImageIndex
    ? (await resolveImage(pool, reference, platform, { signal })).manifest.bytes
    : top.bytes;
  return {
    ...(await readCacheManifest(manifest, readBlob)),
    name: familiarReference(reference),
    sourcesOf: ({ digest: blob }, within) =>
      endpoints.map(
        ({ client, repository }) =>
          (from) =>
            client.getBlob(repository, blob, { from, signal: within }),
      ),
  };
}
