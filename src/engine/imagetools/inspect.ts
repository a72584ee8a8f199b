import { isIndexType, isManifestType } from '../../image/media-types.ts';
import { parseIndex, parseManifest } from '../../image/parse-manifest.ts';
import type { Descriptor } from '../../image/types.ts';
import type { RegistryEndpoint } from '../../registry/types.ts';
import { openRegistries, type RegistryAccess } from '../registry-access.ts';
import { type RemoteDocument, remoteDocument } from './remote-document.ts';

/** A manifest with the configuration that it names. */
export interface RemoteImage {
  descriptor: Descriptor;
  manifest: Buffer;
  /** Undefined for what is no image: an artifact, an attestation. */
  config?: Buffer;
}

/** What a registry has under a name, looked at without pulling it. */
export interface RemoteInspection {
  document: RemoteDocument;
  /** Of an index; else undefined. */
  manifests: Descriptor[] | undefined;
  /** The images that were asked for. */
  images: RemoteImage[];
}

export interface InspectRemoteOptions extends RegistryAccess {
  /** Fetch manifests and configurations of the images too. */
  images?: boolean;
}

/** Looks at a name in a registry. Errors as `remoteDocument`. */
export async function inspectRemote(name: string, options: InspectRemoteOptions): Promise<RemoteInspection> {
  const pool = openRegistries(options);
  try {
    const document = await remoteDocument(pool, name, options.signal);
    const { mediaType, bytes, digest, endpoint } = document;
    const manifests = isIndexType(mediaType) ? parseIndex(bytes).manifests : undefined;
    const images: RemoteImage[] = [];
    if (options.images === true) {
      for (const descriptor of manifests ?? [{ mediaType, digest, size: bytes.length }]) {
        if (!isManifestType(descriptor.mediaType)) continue;
        const manifest =
          descriptor.digest === digest
            ? bytes
            : (await endpoint.client.getManifest(endpoint.repository, descriptor.digest, options))?.bytes;
        if (manifest === undefined) continue;
        const config = await configOf(endpoint, manifest, options.signal);
        images.push({ descriptor, manifest, ...(config && { config }) });
      }
    }
    return { document, manifests, images };
  } finally {
    await pool.close();
  }
}

const CONFIG = /^application\/vnd\.(?:oci\.image\.config\.v1|docker\.container\.image\.v1)\+json$/;

/** The configuration of an image's manifest, verified. */
export async function configOf(
  { client, repository }: RegistryEndpoint,
  manifest: Buffer,
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  const { config } = parseManifest(manifest);
  if (!CONFIG.test(config.mediaType)) return undefined;
  const { readRemoteBlob } = await import('./read-remote-blob.ts');
  return readRemoteBlob({ client, repository }, config, signal);
}
