/** A cache that a build looks into. */
export type CacheFrom = (RegistryCache | LocalCacheFrom) & CacheFromOptions;

/** A cache that a build leaves behind. */
export type CacheTo = ((RegistryCache | LocalCacheTo) & CacheToOptions) | { type: 'inline' };

/** An artifact of a registry, or an image there that has its cache inline. */
export interface RegistryCache {
  type: 'registry';
  /** `name[:tag]`; `latest` without a tag. */
  ref: string;
  /** Certificates are not looked at, and http will do. */
  insecure?: boolean;
}

/** An OCI layout in a directory. */
export interface LocalCacheFrom {
  type: 'local';
  src: string;
  /** Default `latest`. */
  tag?: string;
  /** Of the manifest, in place of a tag. */
  digest?: string;
}

export interface LocalCacheTo {
  type: 'local';
  dest: string;
  /** Default `latest`. */
  tag?: string;
}

export interface CacheFromOptions {
  /** Ids of cache mounts that are taken from it, where the store has none. Default: all. */
  mounts?: readonly string[];
  /** Bytes of files that one of them may have. Default 2 GiB. */
  mountLimit?: number;
}

export interface CacheToOptions {
  /** Layers of the result alone (`min`, the default), or of all steps. */
  mode?: 'min' | 'max';
  /** Default: gzip. */
  compression?: 'uncompressed' | 'gzip' | 'zstd';
  compressionLevel?: number;
  /** Layers that came in another form are compressed again. */
  forceCompression?: boolean;
  /** Media types of the layers. Default: OCI's. */
  mediaTypes?: 'oci' | 'docker';
  /** A failure is a warning. */
  ignoreError?: boolean;
  /** Ids of cache mounts that go along. */
  mounts?: readonly string[];
  /** Bytes that one of them may have to go along, as an archive that is not compressed. Default 2 GiB. */
  mountLimit?: number;
}
