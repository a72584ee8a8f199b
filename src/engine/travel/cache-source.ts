import {
  CACHE_CONFIG_TYPE,
  type CacheDocument,
  parseCacheDocument,
  parseInlineCache,
  type TravelingMount,
} from '../../cache/travel/cache-document.ts';
import { SlipwayError } from '../../errors/index.ts';
import { parseImageConfig } from '../../image/parse-config.ts';
import { parseManifest } from '../../image/parse-manifest.ts';
import type { Descriptor, Digest, ImageConfig, ImageManifest } from '../../image/types.ts';
import type { BlobSource } from '../../registry/fetch-blob.ts';

/** A cache whose documents are here and verified, and whose blobs can be had. */
export interface CacheSource {
  /** For people. */
  name: string;
  steps: CacheDocument['steps'];
  contents: CacheDocument['contents'];
  /** Blobs of layers by what they are, not compressed. */
  blobs: ReadonlyMap<Digest, Descriptor>;
  mounts: readonly (TravelingMount & { blob: Descriptor })[];
  /** Where a blob can be had, in the order to be asked. */
  sourcesOf(blob: Descriptor, signal: AbortSignal): BlobSource[];
}

const BUILDKIT_CONFIG = 'application/vnd.buildkit.cacheconfig.v0';

/**
 * What a manifest says of a cache: one of ours, or an image with its cache inline.
 *
 * @param readBlob Gives a document, verified.
 * @throws SlipwayError `unsupported` CACHE_FOREIGN, CACHE_NONE; `invalid` DOCUMENT_INVALID
 */
export async function readCacheManifest(
  bytes: Buffer,
  readBlob: (descriptor: Descriptor) => Promise<Buffer>,
): Promise<Omit<CacheSource, 'name' | 'sourcesOf'>> {
  refuseBuildKit(bytes);
  const manifest = parseManifest(bytes);
  const { mediaType } = manifest.config;
  if (mediaType === CACHE_CONFIG_TYPE)
    return ownCache(parseCacheDocument(await readBlob(manifest.config)), manifest);
  if (!/^application\/vnd\.(?:oci|docker)\..*(?:config|image)\.v1\+json$/.test(mediaType))
    throw noCache(`its configuration is ${mediaType}`);
  const config = await readBlob(manifest.config);
  const inline = parseInlineCache(config);
  if (inline === undefined) throw noCache('it is an image without an inline cache');
  const image = parseImageConfig(config);
  const { created = '1970-01-01T00:00:00Z' } = image;
  const times = layerTimes(image);
  return {
    contents: inline.contents,
    steps: inline.steps.map((step) => ({ created: times.get(step.diffId) ?? created, ...step })),
    blobs: pairs(image.rootfs.diff_ids, manifest.layers),
    mounts: [],
  };
}

/** When the steps that made an image's layers ran: by its history. */
function layerTimes({ history = [], rootfs }: ImageConfig): Map<Digest, string> {
  const filled = history.filter((entry) => entry.empty_layer !== true);
  if (filled.length !== rootfs.diff_ids.length) return new Map();
  return new Map(
    rootfs.diff_ids.flatMap((diffId, index) => {
      const { created } = filled[index]!;
      return created === undefined ? [] : [[diffId, created] as const];
    }),
  );
}

function ownCache(document: CacheDocument, manifest: ImageManifest): Omit<CacheSource, 'name' | 'sourcesOf'> {
  const { layers, mounts, steps, contents } = document;
  if (layers.length + mounts.length > manifest.layers.length) {
    throw new SlipwayError('invalid', 'the cache names more blobs than its manifest lists', {
      code: 'DOCUMENT_INVALID',
    });
  }
  return {
    steps,
    contents,
    blobs: pairs(layers, manifest.layers),
    mounts: mounts.map((mount, index) => ({ ...mount, blob: manifest.layers[layers.length + index]! })),
  };
}

function pairs(diffIds: readonly Digest[], blobs: readonly Descriptor[]): Map<Digest, Descriptor> {
  return new Map(
    diffIds.flatMap((diffId, index) => {
      const blob = blobs[index];
      return blob === undefined ? [] : [[diffId, blob] as const];
    }),
  );
}

/** Whether a manifest or index is a cache of BuildKit. */
export function isBuildKitCache(bytes: Buffer): boolean {
  return bytes.includes(BUILDKIT_CONFIG);
}

/** Its keys are digests of BuildKit's own build graph: nobody else can know them. */
function refuseBuildKit(bytes: Buffer): void {
  if (!isBuildKitCache(bytes)) return;
  throw new SlipwayError('unsupported', 'it is a cache of BuildKit, whose keys only BuildKit can make', {
    code: 'CACHE_FOREIGN',
    hint: 'Give the two builders names of their own for their caches.',
  });
}

/** The error of what is no cache. */
export function noCache(why: string): SlipwayError {
  return new SlipwayError('unsupported', `there is no cache: ${why}`, { code: 'CACHE_NONE' });
}
