import { formatPlatform, localPlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';
import type { BuildOptions } from './options.ts';

/** The platforms that a build is for, each once, in the order asked for. At least one. */
export function wantedPlatforms({
  platform,
  platforms = [],
}: Pick<BuildOptions, 'platform' | 'platforms'>): Platform[] {
  const asked = platforms.length > 0 ? platforms : [platform ?? localPlatform()];
  return [...new Map(asked.map((one) => [formatPlatform(one), one])).values()];
}
