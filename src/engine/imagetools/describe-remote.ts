import { SlipwayError } from '../../errors/index.ts';
import { inspectImage } from '../../image/inspect.ts';
import { parseImageConfig } from '../../image/parse-config.ts';
import { parseManifest } from '../../image/parse-manifest.ts';
import { localPlatform, samePlatform } from '../../image/platform.ts';
import { familiarName, familiarReference } from '../../image/reference.ts';
import type { RegistryAccess } from '../registry-access.ts';
import { inspectRemote } from './inspect.ts';

/**
 * The document of `image inspect` for an image in a registry, which is not pulled: of an index the image for this
 * machine. Its size is that of the layers as they lie there.
 *
 * @throws SlipwayError `not-found` PLATFORM_NOT_FOUND; `invalid` REMOTE_NO_IMAGE; those of `inspectRemote`
 */
export async function describeRemote(name: string, access: RegistryAccess): Promise<Record<string, unknown>> {
  const { document, manifests, images } = await inspectRemote(name, { ...access, images: true });
  const fitting = images.filter(({ descriptor }) => {
    const { platform } = descriptor;
    return manifests === undefined || (platform !== undefined && samePlatform(platform, localPlatform()));
  });
  const [image] = fitting;
  if (image === undefined)
    throw new SlipwayError('not-found', `${name} has no image for this machine`, {
      code: 'PLATFORM_NOT_FOUND',
    });
  if (image.config === undefined)
    throw new SlipwayError('invalid', `${name} is no image`, { code: 'REMOTE_NO_IMAGE' });
  const { config, layers } = parseManifest(image.manifest);
  const { reference, digest } = document;
  return inspectImage(parseImageConfig(image.config), {
    id: config.digest,
    repoTags: reference.tag === undefined ? [] : [familiarReference(reference)],
    repoDigests: [`${familiarName(reference)}@${digest}`],
    size: layers.reduce((sum, layer) => sum + layer.size, 0),
    layerDirectories: [],
  });
}
