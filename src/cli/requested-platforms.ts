import { isMultiPlatform } from '../dockerfile/multi-platform.ts';
import { wantedPlatforms } from '../engine/wanted-platforms.ts';
import { SlipwayError } from '../errors/index.ts';
import { localPlatform, parsePlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';
import { settleAnnotations } from './annotations.ts';
import type { BuildRequest } from './build-request.ts';
import type { OutputSpec } from './output-keys.ts';

/**
 * What a build is for: `--platform` may be given again and as a list; Docker takes `local` for this machine's. Each
 * once, in the order given; without any this machine's.
 *
 * @throws SlipwayError `PLATFORM_INVALID`
 */
export function requestedPlatforms(texts: readonly string[]): Platform[] {
  const names = texts.flatMap((text) => text.split(',')).map((name) => name.trim());
  return wantedPlatforms({
    platforms: names.map((name) => (name === 'local' ? localPlatform() : parsePlatform(name))),
  });
}

/**
 * Platforms of a command that takes a part of an image for several; undefined without any.
 *
 * @throws SlipwayError `PLATFORM_INVALID`
 */
export function chosenPlatforms(texts: readonly string[]): Platform[] | undefined {
  return texts.length === 0 ? undefined : requestedPlatforms(texts);
}

/**
 * The request with annotations as they fit its platforms.
 *
 * @throws SlipwayError `usage` for what cannot be had of several platforms: OUTPUT_INVALID, PROGRESS_INVALID
 */
export function forPlatforms(request: BuildRequest, platforms: readonly Platform[]): BuildRequest {
  const makesIndex = platforms.length > 1 || isMultiPlatform(new Map(Object.entries(request.buildArgs)));
  const build = { platforms, makesIndex };
  const settle = (outputs: readonly OutputSpec[]): OutputSpec[] =>
    outputs.map(({ annotations: given, ...output }) => {
      const annotations = settleAnnotations(given, build);
      return annotations === undefined ? output : { ...output, annotations };
    });
  const { annotations: given, ...image } = request.image;
  const annotations = settleAnnotations(given, build);
  const settled: BuildRequest = {
    ...request,
    image: annotations === undefined ? image : { ...image, annotations },
    outputs: settle(request.outputs),
    targets: request.targets.map((target) => ({ ...target, outputs: settle(target.outputs) })),
  };
  if (platforms.length > 1) refuse(settled);
  return settled;
}

function refuse({ outputs, targets, progress }: BuildRequest): void {
  const specs = [outputs, ...targets.map((target) => target.outputs)].flat();
  if (specs.some(({ type, dest }) => type === 'docker' && dest !== undefined))
    throw new SlipwayError(
      'usage',
      'docker exporter does not support exporting manifest lists, use the oci exporter instead',
      { code: 'OUTPUT_INVALID', hint: 'Write -o type=oci,dest=FILE, or --load for the store.' },
    );
  if (progress === 'classic')
    throw new SlipwayError('usage', 'the classic display shows a build for one platform', {
      code: 'PROGRESS_INVALID',
    });
}
