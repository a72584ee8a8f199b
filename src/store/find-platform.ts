import { SlipwayError } from '../errors/index.ts';
import { formatPlatform, normalizePlatform, samePlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';
import type { FoundImage } from './find-image.ts';
import { imageById, imageDocuments } from './images.ts';
import type { Store } from './store.ts';

/**
 * What of an image that was found is for these platforms: of an index the image for one of them, which then stands
 * alone, or those for several; an image that is in none must be for one of them.
 *
 * @param text as it was asked for
 * @throws SlipwayError `not-found` PLATFORM_NOT_FOUND with Docker's text
 */
export function forPlatforms(
  store: Store,
  { text, found }: { text: string; found: FoundImage },
  platforms: readonly Platform[] | undefined,
): FoundImage {
  if (platforms === undefined || platforms.length === 0) return found;
  const { image, name, index } = found;
  const wanted = (one: Platform): boolean => platforms.some((platform) => samePlatform(platform, one));
  const missing = (there: readonly Platform[]): SlipwayError =>
    new SlipwayError(
      'not-found',
      `image with reference ${text} was found but does not provide the specified platform (${platforms.map(formatPlatform).join(', ')})`,
      { code: 'PLATFORM_NOT_FOUND', hint: `It is there for ${there.map(formatPlatform).join(', ')}.` },
    );
  if (index === undefined) {
    const own = normalizePlatform(imageDocuments(store, image.id)!.parsed);
    if (!wanted(own)) throw missing([own]);
    return found;
  }
  const there = index.members.map(({ platform }) => platform);
  for (const platform of platforms)
    if (!there.some((one) => samePlatform(one, platform))) throw missing(there);
  const members = index.members.filter(({ platform }) => wanted(platform));
  const main = imageById(store, members[0]!.image)!;
  return {
    image: main,
    ...(name !== undefined && { name }),
    ...(members.length > 1 && { index: { ...index, members } }),
  };
}
