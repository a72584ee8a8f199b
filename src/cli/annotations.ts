import { goQuote } from '../dockerfile/go-text.ts';
import { SlipwayError } from '../errors/index.ts';
import { localPlatform, parsePlatform, samePlatform } from '../image/platform.ts';
import type { ImageAnnotations } from '../image/types.ts';

/**
 * Reads `--annotation` as buildx does: `[TYPE[[PLATFORM]][,TYPE…]:]KEY=VALUE`, where a type is `manifest` (the usual
 * one), `manifest-descriptor`, `index` or `index-descriptor`. Throws `usage` with buildx's words; an image of one
 * platform has no index, which is refused as BuildKit does.
 */
export function parseAnnotations(texts: readonly string[]): ImageAnnotations {
  let annotations: ImageAnnotations = {};
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals < 0) throw invalid(`invalid annotation ${goQuote(text)}, expected key=value`);
    const colon = text.slice(0, equals).indexOf(':');
    const types = colon < 0 ? ['manifest'] : text.slice(0, colon).split(',');
    const key = text.slice(colon + 1, equals);
    for (const type of types) {
      annotations = addAnnotation(annotations, { place: type, key, value: text.slice(equals + 1) });
    }
  }
  return annotations;
}

/** Adds one; `place` is a type, with a platform in brackets or without. Throws as `parseAnnotations`. */
export function addAnnotation(
  annotations: ImageAnnotations,
  { place, key, value }: { place: string; key: string; value: string },
): ImageAnnotations {
  const match = /^([a-z-]+)(?:\[([A-Za-z0-9_/.-]+)\])?$/.exec(place);
  if (match === null) {
    throw invalid(
      `invalid annotation type ${goQuote(place)}, expected type and optional platform in square brackets`,
    );
  }
  const [, type, platform] = match;
  if (key === '') throw invalid(`invalid annotation ${goQuote(`${place}:=${value}`)}: empty key`);
  if (platform !== undefined && !samePlatform(parsePlatform(platform), localPlatform())) {
    throw invalid(`invalid annotation for ${platform}: no image is built for that platform`);
  }
  if (type === 'manifest') return { ...annotations, manifest: { ...annotations.manifest, [key]: value } };
  if (type === 'manifest-descriptor') {
    return { ...annotations, manifestDescriptor: { ...annotations.manifestDescriptor, [key]: value } };
  }
  if (type === 'index' || type === 'index-descriptor') {
    throw invalid(
      `${type} annotations not supported for single platform export`,
      'An image of one platform has no index of its own: annotate the manifest or manifest-descriptor.',
    );
  }
  throw invalid(`unknown annotation type ${goQuote(type!)}`);
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'ANNOTATION_INVALID', hint });
}
