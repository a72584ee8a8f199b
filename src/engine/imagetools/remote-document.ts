import { SlipwayError } from '../../errors/index.ts';
import {
  formatReference,
  type ImageReference,
  parseReference,
  withDefaultTag,
} from '../../image/reference.ts';
import { refuseLocalPlace } from '../../image/transport.ts';
import type { FetchedManifest, RegistryEndpoint, RegistryPool } from '../../registry/types.ts';

/** A document of a registry, and where it came from. */
export interface RemoteDocument extends FetchedManifest {
  reference: ImageReference;
  endpoint: RegistryEndpoint;
}

/**
 * What a registry has under a name.
 *
 * @throws SlipwayError `not-found` REMOTE_NOT_FOUND; those of `RegistryClient`
 */
export async function remoteDocument(
  pool: RegistryPool,
  name: string,
  signal?: AbortSignal,
): Promise<RemoteDocument> {
  refuseLocalPlace(name);
  const reference = withDefaultTag(parseReference(name));
  const { domain, path, tag, digest } = reference;
  const endpoints = await pool.endpointsFor(domain, path, digest === undefined ? 'resolve' : 'pull');
  for (const endpoint of endpoints) {
    try {
      const found = await endpoint.client.getManifest(endpoint.repository, digest ?? tag!, { signal });
      if (found !== undefined) return { ...found, reference, endpoint };
    } catch (error) {
      // A mirror that fails is no reason to fail.
      if (!endpoint.client.host.isMirror || (error instanceof SlipwayError && error.kind === 'canceled'))
        throw error;
    }
  }
  throw new SlipwayError('not-found', `${formatReference(reference)}: not found`, {
    code: 'REMOTE_NOT_FOUND',
  });
}
