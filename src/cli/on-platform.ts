import { parsePlatform } from '../image/platform.ts';
import { type FoundImage, findImage } from '../store/find-image.ts';
import { forPlatforms } from '../store/find-platform.ts';
import type { Store } from '../store/store.ts';

/**
 * The image that a name stands for on the platform that a flag asks for; empty is this machine's.
 *
 * @throws SlipwayError those of `findImage`, `forPlatforms` and `parsePlatform`
 */
export function onPlatform(store: Store, text: string, platform: string): FoundImage {
  const found = findImage(store, text);
  return platform === '' ? found : forPlatforms(store, { text, found }, [parsePlatform(platform)]);
}
