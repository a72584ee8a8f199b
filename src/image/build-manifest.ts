import { digestOf } from './digest.ts';
import { goJson, sortedRecord } from './go-json.ts';
import { DOCKER, OCI } from './media-types.ts';
import type { Descriptor, Digest } from './types.ts';

/** A document with its bytes and their digest: what was written is what is named. */
export interface Document {
  bytes: Buffer;
  digest: Digest;
}

export interface ManifestOptions {
  /** Media types of the manifest and its config; the layers bring their own. Default `oci`. */
  family?: 'oci' | 'docker';
  annotations?: Readonly<Record<string, string>>;
}

/** Writes an image manifest, members in the order BuildKit has them. */
export function buildManifest(
  config: { digest: Digest; size: number },
  layers: readonly Descriptor[],
  options: ManifestOptions = {},
): Document {
  const types = options.family === 'docker' ? DOCKER : OCI;
  return document({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, digest: config.digest, size: config.size },
    layers: layers.map(orderedDescriptor),
    ...(options.annotations === undefined ? {} : { annotations: sortedRecord(options.annotations) }),
  });
}

/** Writes an image index, or Docker's manifest list. */
export function buildIndex(manifests: readonly Descriptor[], options: ManifestOptions = {}): Document {
  return document({
    schemaVersion: 2,
    mediaType: (options.family === 'docker' ? DOCKER : OCI).index,
    manifests: manifests.map(orderedDescriptor),
    ...(options.annotations === undefined ? {} : { annotations: sortedRecord(options.annotations) }),
  });
}

function orderedDescriptor(descriptor: Descriptor): Descriptor {
  const { mediaType, digest, size, annotations, platform } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations: sortedRecord(annotations) }),
    ...(platform === undefined
      ? {}
      : {
          platform: {
            architecture: platform.architecture,
            os: platform.os,
            ...(platform.variant === undefined ? {} : { variant: platform.variant }),
          },
        }),
  };
}

function document(value: unknown): Document {
  const bytes = Buffer.from(goJson(value), 'utf8');
  return { bytes, digest: digestOf(bytes) };
}
