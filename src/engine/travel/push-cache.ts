import { parseReference, withDefaultTag } from '../../image/reference.ts';
import type { Descriptor } from '../../image/types.ts';
import { pushImage } from '../../registry/push/push-image.ts';
import { pushEndpoint } from '../../registry/push-endpoint.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { pushSettings } from '../push/push-settings.ts';
import type { CacheContent } from './cache-content.ts';

export interface PushCacheRequest {
  pool: RegistryPool;
  ref: string;
  content: CacheContent;
  env: NodeJS.ProcessEnv;
  /** Says what has been written. */
  note: (what: string) => void;
  signal: AbortSignal;
}

/** Pushes a cache; nothing names it before all of it is there. Errors as `pushImage`. */
export async function pushCache(request: PushCacheRequest): Promise<Descriptor> {
  const { pool, ref, content, env, note, signal } = request;
  const { domain, path, tag } = withDefaultTag(parseReference(ref));
  const endpoint = await pushEndpoint(pool, domain, path);
  const { config } = content;
  return pushImage({
    ...pushSettings(env),
    endpoint,
    layers: content.blobs,
    config,
    documents: (descriptors) => {
      for (const { digest } of descriptors) note(`writing layer ${digest}`);
      note(`writing config ${config.digest}`);
      const manifest = content.manifest(descriptors);
      note(`writing cache image manifest ${manifest.digest}`);
      return { config, manifest };
    },
    tags: tag === undefined ? [] : [tag],
    signal,
  });
}
