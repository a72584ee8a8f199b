import { rmSync, writeFileSync } from 'node:fs';
import { cacheConfig, type TravelingContent, type TravelingStep } from '../../cache/travel/cache-document.ts';
import { cacheManifest, EMPTY_BLOB, EMPTY_DESCRIPTOR } from '../../cache/travel/cache-manifest.ts';
import type { ImageEncoding } from '../../export/types.ts';
import type { Document } from '../../image/build-manifest.ts';
import type { Descriptor, Digest } from '../../image/types.ts';
import { fetchBlob } from '../../registry/fetch-blob.ts';
import { retrySettings } from '../../registry/open-pool.ts';
import type { PushLayer } from '../../registry/push/push-image.ts';
import { holdLayerByDiffId } from '../../store/layers.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import { inFamily, pushLayer } from '../push/push-content.ts';
import type { StoreSession } from '../session.ts';
import type { CacheSource } from './cache-source.ts';
import type { CachedBlob } from './imported-caches.ts';
import type { CacheToOptions } from './options.ts';
import type { PackedMount } from './packed-mounts.ts';

/** What a cache is made of, as a registry or a layout takes it. */
export interface CacheContent {
  config: Document;
  blobs: PushLayer[];
  manifest(descriptors: readonly Descriptor[]): Document & { mediaType: string };
}

/** A cache mount that nothing here used: it goes from cache to cache. */
export type PassedMount = CacheSource['mounts'][number] & CachedBlob;

export interface CacheContentRequest {
  store: Store;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** Domain of the registry that it is for; empty for none. */
  registry: string;
  steps: readonly TravelingStep[];
  contents: readonly TravelingContent[];
  /** Layers that go along, where they can be had. */
  layers: ReadonlySet<Digest>;
  mounts: readonly (PackedMount | PassedMount)[];
  /** Where a layer is that is not in the store. */
  imported: (diffId: Digest) => CachedBlob | undefined;
  options: CacheToOptions;
}

/** Makes the documents of a cache and says how its blobs are had. Nothing is packed yet. */
export function cacheContent(request: CacheContentRequest): CacheContent {
  const { steps, contents, layers, mounts, options } = request;
  const found = steps
    .map(({ diffId }) => diffId)
    .filter((diffId, index, all) => layers.has(diffId) && all.indexOf(diffId) === index)
    .flatMap((diffId) => blobOf(diffId, request) ?? []);
  const config = cacheConfig({
    layers: found.map(({ diffId }) => diffId),
    mounts: mounts.map(({ id, diffId, size }) => ({ id, diffId, size })),
    steps: [...steps],
    contents: [...contents],
  });
  const packed = mounts.map((mount): PushLayer => {
    const { diffId, blob } = mount;
    if ('source' in mount) return passedOn(diffId, mount, request);
    return { diffId, known: blob, make: async () => ({ descriptor: blob, path: mount.path }) };
  });
  const blobs = [...found, ...packed];
  return {
    config,
    blobs: blobs.length === 0 ? [emptyBlob(request)] : blobs,
    manifest: (descriptors) =>
      cacheManifest(
        config,
        descriptors.map((one) => inFamily(one, options.mediaTypes ?? 'oci')),
      ),
  };
}

function blobOf(diffId: Digest, request: CacheContentRequest): PushLayer | undefined {
  const { store, session, options } = request;
  const layer = holdLayerByDiffId(store, session.lease(), diffId);
  if (layer !== undefined) return pushLayer(layer, encodingOf(options), request);
  const cached = request.imported(diffId);
  return cached && passedOn(diffId, cached, request);
}

/** A layer that nothing here needed: it goes from cache to cache, and only where it is not there already. */
function passedOn(
  diffId: Digest,
  { source, blob }: CachedBlob,
  { store, session, env, signal }: CacheContentRequest,
): PushLayer {
  return {
    diffId,
    known: blob,
    make: async () => {
      const file = temporaryPath(store.root, session.lease(), `cache-${blob.digest.slice(7)}`);
      const release = (): void => rmSync(file, { force: true });
      try {
        const { digest, size } = blob;
        const sources = source.sourcesOf(blob, signal);
        await fetchBlob({ digest, size, sources, file, signal, ...retrySettings(env) });
      } catch (error) {
        release();
        throw error;
      }
      return { descriptor: blob, path: file, release };
    },
  };
}

function emptyBlob({ store, session }: CacheContentRequest): PushLayer {
  return {
    diffId: EMPTY_DESCRIPTOR.digest,
    known: EMPTY_DESCRIPTOR,
    make: async () => {
      const path = temporaryPath(store.root, session.lease(), 'cache-empty');
      writeFileSync(path, EMPTY_BLOB);
      return { descriptor: EMPTY_DESCRIPTOR, path, release: () => rmSync(path, { force: true }) };
    },
  };
}

/** How blobs are compressed. */
export function encodingOf(options: CacheToOptions): Omit<ImageEncoding, 'family'> {
  const { compression = 'gzip', compressionLevel: level, forceCompression: force } = options;
  return {
    compression: compression === 'uncompressed' ? 'none' : compression,
    ...(level === undefined ? {} : { level }),
    ...(force === undefined ? {} : { force }),
  };
}
