import { goQuote } from '../dockerfile/go-text.ts';
import { SlipwayError } from '../errors/index.ts';
import { annotationsFor, mergeAnnotations } from '../image/annotations.ts';
import { formatPlatform, parsePlatform, samePlatform } from '../image/platform.ts';
import type { ImageAnnotations, Platform } from '../image/types.ts';

/**
 * Reads `--annotation` as buildx does: `[TYPE[[PLATFORM]][,TYPE…]:]KEY=VALUE`, where a type is `manifest` (the usual
 * one), `manifest-descriptor`, `index` or `index-descriptor`. Throws `usage` with buildx's words. Whether the build has
 * a place for them `settleAnnotations` says.
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

/** Adds one; `place` is a type, with a platform in brackets or without. Errors as `parseAnnotations`. */
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
  const level = LEVELS[type!];
  if (level === undefined) throw invalid(`unknown annotation type ${goQuote(type!)}`);
  if (platform === undefined) return mergeAnnotations(annotations, { [level]: { [key]: value } })!;
  const name = formatPlatform(parsePlatform(platform));
  if (level === 'index' || level === 'indexDescriptor')
    throw invalid(`${type} annotations belong to the whole index: they take no platform`);
  return mergeAnnotations(annotations, { platforms: { [name]: { [level]: { [key]: value } } } })!;
}

const LEVELS: Readonly<Record<string, 'manifest' | 'manifestDescriptor' | 'index' | 'indexDescriptor'>> = {
  manifest: 'manifest',
  'manifest-descriptor': 'manifestDescriptor',
  index: 'index',
  'index-descriptor': 'indexDescriptor',
};

/** What a build makes, as far as annotations must know. */
export interface AnnotatedBuild {
  /** At least one. */
  platforms: readonly Platform[];
  makesIndex: boolean;
}

/**
 * Refuses annotations that nothing of a build can have: of a platform that it is not for and, unless it makes one, of
 * an index. Where it makes none, those of the one platform are those of the image.
 */
export function settleAnnotations<T extends ImageAnnotations | undefined>(
  annotations: T,
  { platforms, makesIndex }: AnnotatedBuild,
): T | ImageAnnotations | undefined {
  if (annotations === undefined) return annotations;
  for (const name of Object.keys(annotations.platforms ?? {})) {
    if (platforms.some((platform) => samePlatform(platform, parsePlatform(name)))) continue;
    throw invalid(`invalid annotation for ${name}: no image is built for that platform`);
  }
  for (const [type, level] of [
    ['index', 'index'],
    ['index-descriptor', 'indexDescriptor'],
  ] as const) {
    if (makesIndex || annotations[level] === undefined) continue;
    throw invalid(
      `${type} annotations not supported for single platform export`,
      'An image of one platform has no index of its own: annotate the manifest or manifest-descriptor.',
    );
  }
  return makesIndex ? annotations : annotationsFor(annotations, platforms[0]!);
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'ANNOTATION_INVALID', hint });
}
