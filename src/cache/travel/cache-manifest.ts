import type { Document } from '../../image/build-manifest.ts';
import { digestOf } from '../../image/digest.ts';
import { goJson } from '../../image/go-json.ts';
import { OCI } from '../../image/media-types.ts';
import type { Descriptor } from '../../image/types.ts';
import { CACHE_ARTIFACT_TYPE, CACHE_CONFIG_TYPE } from './cache-document.ts';

/** The blob of an artifact that has no layers (OCI image-spec 1.1, manifest.md): some registries want one. */
export const EMPTY_BLOB = Buffer.from('{}');

export const EMPTY_DESCRIPTOR: Descriptor = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(EMPTY_BLOB),
  size: EMPTY_BLOB.length,
};

/**
 * The manifest of a cache: an OCI image manifest, since every registry keeps those and what they list, also when it
 * collects garbage.
 */
export function cacheManifest(
  config: Document,
  blobs: readonly Descriptor[],
): Document & { mediaType: string } {
  const bytes = Buffer.from(
    goJson({
      schemaVersion: 2,
      mediaType: OCI.manifest,
      artifactType: CACHE_ARTIFACT_TYPE,
      config: { mediaType: CACHE_CONFIG_TYPE, digest: config.digest, size: config.bytes.length },
      layers: blobs.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
    'utf8',
  );
  return { mediaType: OCI.manifest, bytes, digest: digestOf(bytes) };
}
