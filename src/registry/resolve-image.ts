import { SlipwayError } from '../errors/index.ts';
import { digestOf } from '../image/digest.ts';
import { MAX_DOCUMENT_SIZE } from '../image/json-guard.ts';
import { DOCKER, isIndexType, isManifestType, OCI } from '../image/media-types.ts';
import { parseImageConfig } from '../image/parse-config.ts';
import { type ImageIndex, parseIndex, parseManifest } from '../image/parse-manifest.ts';
import { compatiblePlatforms, formatPlatform, samePlatform } from '../image/platform.ts';
import { familiarReference, type ImageReference } from '../image/reference.ts';
import type { Descriptor, Digest, ImageConfig, ImageManifest, Platform } from '../image/types.ts';
import { askEndpoints } from './ask-endpoints.ts';
import type { CallOptions, FetchedManifest, RegistryEndpoint, RegistryPool } from './types.ts';

/** An image of a registry: its documents, verified, without its layers. */
export interface RemoteImage {
  /** What the reference stands for: of an index, or of the manifest itself. */
  digest: Digest;
  /** The manifest of the platform, byte for byte. */
  manifest: { digest: Digest; mediaType: string; bytes: Buffer; parsed: ImageManifest };
  /** The configuration, byte for byte. */
  config: { bytes: Buffer; parsed: ImageConfig };
  /** Where its blobs are, in the order to be asked. */
  endpoints: RegistryEndpoint[];
}

/** Indexes inside indexes, and all of them together; more is nobody's honest image. */
const MAX_NESTING = 4;
const MAX_INDEXES = 64;

const CONFIG_TYPES = new Set<string>([OCI.config, DOCKER.config, 'application/octet-stream']);

/**
 * Finds the image that a reference (with a tag or a digest) stands for on a platform. Of an index or a manifest list,
 * also one inside another, the best entry that runs there is taken; attestations and other artifacts are none. A
 * manifest alone is taken whatever its platform is.
 *
 * @throws SlipwayError `not-found` REGISTRY_MANIFEST_UNKNOWN, PLATFORM_NOT_FOUND; `denied`; `unsupported`
 * MANIFEST_SCHEMA_1, NOT_AN_IMAGE; `corrupt` DIGEST_MISMATCH; `invalid` DOCUMENT_INVALID; those of `RegistryClient`
 */
export async function resolveImage(
  pool: RegistryPool,
  reference: ImageReference,
  platform: Platform,
  options: CallOptions = {},
): Promise<RemoteImage> {
  const { domain, path, tag, digest } = reference;
  const need = digest === undefined ? 'resolve' : 'pull';
  const asked = await pool.endpointsFor(domain, path, need);
  const top = await askEndpoints(asked, ({ client, repository }) =>
    client.getManifest(repository, digest ?? tag ?? 'latest', options),
  ).catch((error: unknown) => {
    throw explain(error, reference);
  });
  if (top === undefined) throw unknownManifest(reference);
  const endpoints = need === 'pull' ? asked : await pool.endpointsFor(domain, path, 'pull');
  const documents = new Documents(endpoints, reference, options);
  const chosen = await documents.imageOf(top, platform);
  const manifest = parseManifest(chosen.bytes);
  const config = await documents.config(manifest.config);
  const parsed = parseImageConfig(config);
  checkLayers(manifest, parsed);
  return {
    digest: top.digest,
    manifest: { ...chosen, parsed: manifest },
    config: { bytes: config, parsed },
    endpoints,
  };
}

/** The documents of one reference, each fetched from whichever host has it. */
class Documents {
  readonly #endpoints: readonly RegistryEndpoint[];
  readonly #reference: ImageReference;
  readonly #options: CallOptions;
  #indexes = 0;

  constructor(endpoints: readonly RegistryEndpoint[], reference: ImageReference, options: CallOptions) {
    this.#endpoints = endpoints;
    this.#reference = reference;
    this.#options = options;
  }

  /** The manifest for `platform` behind a document. */
  async imageOf(document: FetchedManifest, platform: Platform): Promise<FetchedManifest> {
    if (!isIndexType(kindOf(document, this.#reference))) return document;
    const entries = await this.#entriesOf(document, 0);
    const chosen = choose(entries, platform);
    if (chosen === undefined) throw noPlatform(entries, platform, this.#reference);
    const manifest = await this.#fetch(chosen);
    if (!isManifestType(kindOf(manifest, this.#reference)))
      throw notAnImage(this.#reference, manifest.mediaType);
    return manifest;
  }

  async config(descriptor: Descriptor): Promise<Buffer> {
    const { mediaType, digest, size } = descriptor;
    if (!CONFIG_TYPES.has(mediaType)) throw notAnImage(this.#reference, mediaType);
    if (size > MAX_DOCUMENT_SIZE) throw tooLarge(digest);
    const bytes = await askEndpoints(this.#endpoints, ({ client, repository }) =>
      client.readBlob(repository, descriptor, this.#options),
    );
    return bytes!;
  }

  /** The entries of an index that can be images, those of indexes inside it too. */
  async #entriesOf(document: FetchedManifest, depth: number): Promise<Descriptor[]> {
    const { manifests }: ImageIndex = parseIndex(document.bytes);
    const entries: Descriptor[] = [];
    for (const entry of manifests.filter(mayBeImage)) {
      if (!isIndexType(entry.mediaType)) {
        if (isManifestType(entry.mediaType)) entries.push(entry);
        continue;
      }
      if (depth >= MAX_NESTING || ++this.#indexes > MAX_INDEXES) throw nestedTooDeep(this.#reference);
      const inner = await this.#entriesOf(await this.#fetch(entry), depth + 1);
      const { platform } = entry;
      entries.push(...inner.map((one) => (platform === undefined ? one : { platform, ...one })));
    }
    return entries;
  }

  async #fetch(descriptor: Descriptor): Promise<FetchedManifest> {
    if (descriptor.size > MAX_DOCUMENT_SIZE) throw tooLarge(descriptor.digest);
    const found = await askEndpoints(this.#endpoints, ({ client, repository }) =>
      client.getManifest(repository, descriptor.digest, this.#options),
    );
    if (found === undefined) throw unknownManifest(this.#reference, descriptor.digest);
    verified(found.bytes, descriptor);
    return found;
  }
}

/** BuildKit's attestations are manifests of their own, and so are the artifacts of OCI 1.1. */
function mayBeImage({ annotations, artifactType, platform }: Descriptor): boolean {
  return (
    annotations?.['vnd.docker.reference.type'] !== 'attestation-manifest' &&
    artifactType === undefined &&
    platform?.os !== 'unknown'
  );
}

/** The entry for the platform, for the best that is compatible, or the first that does not say what it is for. */
function choose(entries: readonly Descriptor[], platform: Platform): Descriptor | undefined {
  for (const candidate of compatiblePlatforms(platform)) {
    const found = entries.find(
      (entry) => entry.platform !== undefined && samePlatform(entry.platform, candidate),
    );
    if (found !== undefined) return found;
  }
  return entries.find((entry) => entry.platform === undefined);
}

/** The media type, once it is one that we read. */
function kindOf({ mediaType, bytes }: FetchedManifest, reference: ImageReference): string {
  if (isIndexType(mediaType) || isManifestType(mediaType)) return mediaType;
  const name = familiarReference(reference);
  if (/manifest\.v1\+(?:json|prettyjws)$/.test(mediaType) || schemaVersion(bytes) === 1) {
    throw new SlipwayError(
      'unsupported',
      `${name} is an image of Docker's image manifest version 2, schema 1, which is not supported`,
      {
        code: 'MANIFEST_SCHEMA_1',
        hint: 'That format has no digests of its content and ended in 2019. Push the image again with a present tool.',
      },
    );
  }
  // Some servers send documents without saying what they are.
  const shape = shapeOf(bytes);
  if (shape === undefined) throw notAnImage(reference, mediaType);
  return shape;
}

function schemaVersion(bytes: Buffer): unknown {
  try {
    return (JSON.parse(bytes.toString('utf8')) as { schemaVersion?: unknown }).schemaVersion;
  } catch {
    return undefined;
  }
}

function shapeOf(bytes: Buffer): string | undefined {
  try {
    const { mediaType, manifests, layers } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    if (mediaType !== undefined) return undefined;
    if (Array.isArray(manifests)) return OCI.index;
    return Array.isArray(layers) ? OCI.manifest : undefined;
  } catch {
    return undefined;
  }
}

function checkLayers(manifest: ImageManifest, config: ImageConfig): void {
  const found = config.rootfs.diff_ids.length;
  if (found === manifest.layers.length) return;
  throw new SlipwayError(
    'invalid',
    `the image has ${found} layers, its manifest lists ${manifest.layers.length}`,
    {
      code: 'DOCUMENT_INVALID',
    },
  );
}

function verified(bytes: Buffer, { digest, size }: Descriptor): Buffer {
  const found = digestOf(bytes);
  if (found === digest && bytes.length === size) return bytes;
  const what = found === digest ? `${bytes.length} bytes, not ${size}` : `the digest ${found}`;
  throw new SlipwayError('corrupt', `${digest} has ${what}`, { code: 'DIGEST_MISMATCH' });
}

/** Docker says the same of a repository that is not there and of one that one may not see. */
function explain(error: unknown, reference: ImageReference): unknown {
  if (!(error instanceof SlipwayError) || error.kind !== 'denied') return error;
  const { domain, path } = reference;
  const name = familiarReference({ domain, path });
  return new SlipwayError(
    'denied',
    `pull access denied for ${name}, repository does not exist or may require 'slipway login': ${error.message}`,
    { code: error.code, hint: error.hint, cause: error.cause },
  );
}

/** Docker's words. */
function unknownManifest(reference: ImageReference, digest?: Digest): SlipwayError {
  const { domain, path, tag } = reference;
  const named =
    reference.digest === undefined
      ? { domain, path, ...(tag && { tag }) }
      : { domain, path, digest: reference.digest };
  const inner = digest === undefined ? '' : `: ${digest}`;
  return new SlipwayError(
    'not-found',
    `manifest for ${familiarReference(named)} not found: manifest unknown: manifest unknown${inner}`,
    { code: 'REGISTRY_MANIFEST_UNKNOWN' },
  );
}

function noPlatform(
  entries: readonly Descriptor[],
  platform: Platform,
  reference: ImageReference,
): SlipwayError {
  const there = entries.flatMap((entry) =>
    entry.platform === undefined ? [] : [formatPlatform(entry.platform)],
  );
  return new SlipwayError(
    'not-found',
    `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
    {
      code: 'PLATFORM_NOT_FOUND',
      hint: `${familiarReference(reference)} is there for ${[...new Set(there)].join(', ') || 'no platform'}.`,
    },
  );
}

function notAnImage(reference: ImageReference, mediaType: string): SlipwayError {
  return new SlipwayError(
    'unsupported',
    `${familiarReference(reference)} is no image: unsupported media type ${mediaType || 'none'}`,
    { code: 'NOT_AN_IMAGE' },
  );
}

function nestedTooDeep(reference: ImageReference): SlipwayError {
  return new SlipwayError('invalid', `the indexes of ${familiarReference(reference)} are nested too deep`, {
    code: 'DOCUMENT_INVALID',
  });
}

function tooLarge(digest: Digest): SlipwayError {
  return new SlipwayError(
    'exhausted',
    `the document ${digest} is larger than the limit of ${MAX_DOCUMENT_SIZE} bytes`,
    {
      code: 'DOCUMENT_TOO_LARGE',
    },
  );
}
