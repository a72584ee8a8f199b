import { isSha256Digest } from './digest.ts';
import {
  asCount,
  asList,
  asObject,
  asRecord,
  asString,
  invalid,
  type JsonObject,
  optional,
  parseJsonObject,
} from './json-guard.ts';
import { isIndexType, isManifestType } from './media-types.ts';
import { MAX_LAYERS } from './parse-config.ts';
import type { Descriptor, Digest, ImageManifest } from './types.ts';

/** OCI image index, or Docker's manifest list. */
export interface ImageIndex {
  schemaVersion: 2;
  mediaType?: string;
  manifests: Descriptor[];
  annotations?: Record<string, string>;
}

/**
 * Reads and checks an image manifest from outside.
 *
 * @throws SlipwayError `DOCUMENT_INVALID`, `DOCUMENT_TOO_LARGE`.
 */
export function parseManifest(bytes: Buffer): ImageManifest {
  const what = 'image manifest';
  const root = parseJsonObject(bytes, what);
  checkKind(root, what, isManifestType);
  const layers = asList(root.layers ?? [], `${what}.layers`, asDescriptor);
  if (layers.length > MAX_LAYERS) throw invalid(`${what} has more than ${MAX_LAYERS} layers`);
  return {
    schemaVersion: 2,
    ...optional(root, 'mediaType', what, asString),
    config: asDescriptor(root.config, `${what}.config`),
    layers,
    ...optional(root, 'annotations', what, asTexts),
  };
}

/** Reads and checks an index or manifest list from outside; errors as `parseManifest`. */
export function parseIndex(bytes: Buffer): ImageIndex {
  const what = 'image index';
  const root = parseJsonObject(bytes, what);
  checkKind(root, what, isIndexType);
  return {
    schemaVersion: 2,
    ...optional(root, 'mediaType', what, asString),
    manifests: asList(root.manifests ?? [], `${what}.manifests`, asDescriptor),
    ...optional(root, 'annotations', what, asTexts),
  };
}

/** A document that could be read as both kinds is refused (CVE-2021-41190). */
function checkKind(root: JsonObject, what: string, isKind: (mediaType: string) => boolean): void {
  if (root.schemaVersion !== 2)
    throw invalid(`${what} has schemaVersion ${String(root.schemaVersion)}, not 2`);
  const { mediaType } = root;
  if (mediaType !== undefined && (typeof mediaType !== 'string' || !isKind(mediaType))) {
    throw invalid(`${what} has the media type ${JSON.stringify(mediaType)}`);
  }
  if (root.manifests !== undefined && (root.layers !== undefined || root.config !== undefined)) {
    throw invalid(`${what} is an index and a manifest at once`);
  }
}

function asDescriptor(value: unknown, where: string): Descriptor {
  const object = asObject(value, where);
  return {
    mediaType: asString(object.mediaType, `${where}.mediaType`),
    digest: asDigest(object.digest, `${where}.digest`),
    size: asCount(object.size, `${where}.size`),
    ...optional(object, 'platform', where, asPlatform),
    ...optional(object, 'annotations', where, asTexts),
    ...optional(object, 'artifactType', where, asString),
    ...optional(object, 'urls', where, (urls, at) => asList(urls, at, asString)),
  };
}

function asPlatform(value: unknown, where: string): { os: string; architecture: string; variant?: string } {
  const object = asObject(value, where);
  return {
    os: asString(object.os ?? '', `${where}.os`),
    architecture: asString(object.architecture ?? '', `${where}.architecture`),
    ...optional(object, 'variant', where, asString),
  };
}

function asTexts(value: unknown, where: string): Record<string, string> {
  return asRecord(value, where, asString);
}

function asDigest(value: unknown, where: string): Digest {
  const text = asString(value, where);
  if (!isSha256Digest(text)) throw invalid(`${where} is not a sha256 digest`);
  return text;
}
