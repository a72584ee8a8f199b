import { formatPlatform } from './platform.ts';
import type { ImageAnnotations, Platform } from './types.ts';

/** Two sets of annotations as one; of the same key the second's value counts. */
export function mergeAnnotations(
  before: ImageAnnotations | undefined,
  added: ImageAnnotations | undefined,
): ImageAnnotations | undefined {
  if (before === undefined || added === undefined) return before ?? added;
  const merged: ImageAnnotations = {};
  for (const level of ['manifest', 'manifestDescriptor', 'index', 'indexDescriptor'] as const) {
    if (before[level] ?? added[level]) merged[level] = { ...before[level], ...added[level] };
  }
  const platforms = { ...before.platforms };
  for (const [platform, annotations] of Object.entries(added.platforms ?? {})) {
    platforms[platform] = mergeAnnotations(platforms[platform], annotations)!;
  }
  return Object.keys(platforms).length === 0 ? merged : { ...merged, platforms };
}

/** The annotations of the image for one platform; undefined for none. */
export function annotationsFor(
  annotations: ImageAnnotations | undefined,
  platform: Platform,
): ImageAnnotations | undefined {
  if (annotations === undefined) return undefined;
  const { manifest, manifestDescriptor, platforms = {} } = annotations;
  const common: ImageAnnotations = {
    ...(manifest && { manifest }),
    ...(manifestDescriptor && { manifestDescriptor }),
  };
  const merged = mergeAnnotations(common, platforms[formatPlatform(platform)])!;
  return Object.keys(merged).length === 0 ? undefined : merged;
}
