import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { UnpackCacheRequest, UnpackedCache } from '../../execute/run/cache-snapshot.ts';
import { fetchBlob } from '../../registry/fetch-blob.ts';
import { retrySettings } from '../../registry/open-pool.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSession } from '../session.ts';
import type { CacheSource } from './cache-source.ts';

export interface FillMountRequest {
  store: Store;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  mount: CacheSource['mounts'][number];
  source: CacheSource;
  /** Takes the place of a cache that is there. */
  replace: boolean;
  /** Bytes of the blob that are here. */
  onArrived?: (bytes: number) => void;
}

/**
 * Makes a cache mount of its snapshot in a cache: fetched, verified, unpacked within the size that it says it has.
 * Errors as `fetchBlob` and `unpackCacheArchive`.
 */
export async function fillMount(request: FillMountRequest): Promise<UnpackedCache> {
  const { store, session, env, signal, mount, source, replace, onArrived } = request;
  const { id, blob, diffId, size } = mount;
  const file = temporaryPath(store.root, session.lease(), `mount-in-${randomUUID()}`);
  try {
    await fetchBlob({
      digest: blob.digest,
      size: blob.size,
      sources: source.sourcesOf(blob, signal),
      file,
      signal,
      ...retrySettings(env),
      ...(onArrived && { onArrived }),
    });
    const { client } = await session.worker();
    const task: UnpackCacheRequest = { id, path: file, diffId, limit: size, replace };
    return await client.call<UnpackedCache>('cache-unpack', task, { signal });
  } finally {
    rmSync(file, { force: true });
  }
}
