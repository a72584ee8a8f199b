import type { Document } from '../../image/build-manifest.ts';
import { digestOf, isSha256Digest } from '../../image/digest.ts';
import {
  asCount,
  asList,
  asObject,
  asString,
  invalid,
  type JsonObject,
  optional,
  parseJsonObject,
} from '../../image/json-guard.ts';
import { parseTime } from '../../image/time.ts';
import type { Digest } from '../../image/types.ts';

/** Media type of the document below: the configuration of the OCI artifact that a cache is. */
export const CACHE_CONFIG_TYPE = 'application/vnd.slipway.cache.config.v1+json';

/** What the artifact is (`artifactType` of OCI image-spec 1.1). */
export const CACHE_ARTIFACT_TYPE = 'application/vnd.slipway.cache.v1';

/** Member of an image's configuration that holds an inline cache; who does not know it ignores it (OCI config.md). */
export const INLINE_MEMBER = 'slipway.cache.v1';

const FORMAT = 1;

/** A step's result as it travels: it says which layer a key of ours stands for, and nothing else. */
export interface TravelingStep {
  /** Hex, as `stepKey` gives it. */
  key: string;
  /** Hex: the same for the step over another parent. */
  definition: string;
  diffId: Digest;
  /** Sum of the file sizes. */
  size: number;
  /** RFC 3339; absent in an inline cache, where the image's history says it. */
  created?: string;
  durationMs?: number;
}

/** A remembered digest of what a step selects from other layers: with it nobody has to look at those. */
export interface TravelingContent {
  /** Chain id of the layers. */
  chain: string;
  selector: string;
  /** Hex. */
  digest: string;
}

/** A snapshot of a cache mount. */
export interface TravelingMount {
  /** As `RUN --mount=type=cache,id=` names it. */
  id: string;
  /** Of the archive, not compressed. */
  diffId: Digest;
  /** Sum of the file sizes. */
  size: number;
}

/** What a cache holds beside its blobs. */
export interface CacheDocument {
  /** Layers that the manifest lists, in its order; the mounts' archives follow them. */
  layers: Digest[];
  mounts: TravelingMount[];
  steps: TravelingStep[];
  contents: TravelingContent[];
}

/** The document's bytes, equal for equal content, with their digest. */
export function cacheConfig(document: CacheDocument): Document {
  const bytes = Buffer.from(JSON.stringify({ format: FORMAT, ...document }));
  return { bytes, digest: digestOf(bytes) };
}

/**
 * Reads and checks such a document from outside.
 *
 * @throws SlipwayError `DOCUMENT_INVALID`, `DOCUMENT_TOO_LARGE`; `unsupported` CACHE_FORMAT
 */
export function parseCacheDocument(bytes: Buffer): CacheDocument {
  const what = 'cache config';
  const root = parseJsonObject(bytes, what);
  return { ...recordsOf(root, what), ...listsOf(root, what) };
}

/** As `parseCacheDocument`, of the member of an image's configuration. Undefined where there is none. */
export function parseInlineCache(config: Buffer): Pick<CacheDocument, 'steps' | 'contents'> | undefined {
  const root = parseJsonObject(config, 'image config');
  if (!Object.hasOwn(root, INLINE_MEMBER)) return undefined;
  const where = `image config.${INLINE_MEMBER}`;
  return recordsOf(asObject(root[INLINE_MEMBER], where), where);
}

/** What an image's configuration holds of its build's cache. */
export function inlineCache({ steps, contents }: Pick<CacheDocument, 'steps' | 'contents'>): JsonObject {
  const timeless = steps.map(({ key, definition, diffId, size }) => ({ key, definition, diffId, size }));
  return { format: FORMAT, steps: timeless, contents };
}

function recordsOf(root: JsonObject, what: string): Pick<CacheDocument, 'steps' | 'contents'> {
  if (root.format !== FORMAT) {
    throw invalid(`${what} has the format ${JSON.stringify(root.format)}; this version reads ${FORMAT}`);
  }
  return {
    steps: asList(root.steps ?? [], `${what}.steps`, asStep),
    contents: asList(root.contents ?? [], `${what}.contents`, asContent),
  };
}

function listsOf(root: JsonObject, what: string): Pick<CacheDocument, 'layers' | 'mounts'> {
  return {
    layers: asList(root.layers ?? [], `${what}.layers`, asDigest),
    mounts: asList(root.mounts ?? [], `${what}.mounts`, asMount),
  };
}

function asStep(value: unknown, where: string): TravelingStep {
  const step = asObject(value, where);
  return {
    key: asHex(step.key, `${where}.key`),
    definition: asHex(step.definition, `${where}.definition`),
    diffId: asDigest(step.diffId, `${where}.diffId`),
    size: asCount(step.size, `${where}.size`),
    ...optional(step, 'created', where, asTime),
    ...optional(step, 'durationMs', where, asCount),
  };
}

function asContent(value: unknown, where: string): TravelingContent {
  const content = asObject(value, where);
  return {
    chain: asString(content.chain, `${where}.chain`),
    selector: asString(content.selector, `${where}.selector`),
    digest: asHex(content.digest, `${where}.digest`),
  };
}

function asMount(value: unknown, where: string): TravelingMount {
  const mount = asObject(value, where);
  return {
    id: asString(mount.id, `${where}.id`),
    diffId: asDigest(mount.diffId, `${where}.diffId`),
    size: asCount(mount.size, `${where}.size`),
  };
}

function asHex(value: unknown, where: string): string {
  const text = asString(value, where);
  if (!/^[0-9a-f]{64}$/.test(text)) throw invalid(`${where} is not a SHA-256 in hex`);
  return text;
}

function asDigest(value: unknown, where: string): Digest {
  const text = asString(value, where);
  if (!isSha256Digest(text)) throw invalid(`${where} is not a sha256 digest`);
  return text;
}

function asTime(value: unknown, where: string): string {
  const text = asString(value, where);
  if (parseTime(text) === undefined) throw invalid(`${where} is not an RFC 3339 time`);
  return text;
}
