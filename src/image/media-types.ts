/** Media types of OCI and of Docker's schema 2, by role. */
export const OCI = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

export const DOCKER = {
  index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar',
  layerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  /** Docker never named one. */
  layerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
} as const;

/** A cache mount's archive, without its compression. */
export const CACHE_MOUNT_TYPE = 'application/vnd.slipway.cache.mount.v1.tar';

/** How the bytes of a layer blob are compressed. */
export type LayerCompression = 'none' | 'gzip' | 'zstd';

/** The media type of a layer blob. */
export function layerMediaType(
  compression: LayerCompression,
  family: typeof OCI | typeof DOCKER = OCI,
): string {
  return { none: family.layer, gzip: family.layerGzip, zstd: family.layerZstd }[compression];
}

/** How the media type of a blob says it is compressed; undefined for types that are no layers. */
export function compressionOf(mediaType: string): LayerCompression | undefined {
  if (/^application\/vnd\.(?:oci|docker)\.image\./.test(mediaType)) {
    if (/[.+]gzip$/.test(mediaType)) return 'gzip';
    if (/[.+]zstd$/.test(mediaType)) return 'zstd';
    if (/\.tar$/.test(mediaType)) return 'none';
  }
  return undefined;
}

/** True for an index or a manifest list. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI.index || mediaType === DOCKER.index;
}

/** True for an image manifest. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === OCI.manifest || mediaType === DOCKER.manifest;
}
