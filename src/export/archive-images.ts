import { SlipwayError } from '../errors/index.ts';
import { isIndexType } from '../image/media-types.ts';
import { parseImageConfig } from '../image/parse-config.ts';
import { parseIndex } from '../image/parse-manifest.ts';
import { formatPlatform, normalizePlatform, samePlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';
import { type ArchiveFiles, badArchive, readDocument } from './archive-files.ts';
import type { ArchiveContent, ArchiveImage, WantedImages } from './archive-image.ts';
import { dockerImages } from './docker-images.ts';
import { ociImages } from './oci-images.ts';
import type { Aborted } from './types.ts';
import { v1Images } from './v1-images.ts';

/**
 * The images of an archive of any kind; none when there is none that was selected. manifest.json first, as Docker reads
 * its own archives: only there all names stand as people wrote them. But it knows no indexes.
 *
 * @throws SlipwayError `ARCHIVE_INVALID`, `DOCUMENT_INVALID`, `DIGEST_MISMATCH`, `PLATFORM_NOT_FOUND`
 */
export async function archiveImages(
  files: ArchiveFiles,
  wanted: WantedImages,
  aborted?: Aborted,
): Promise<ArchiveContent> {
  const { platforms } = wanted;
  const content = await readImages(files, wanted, aborted);
  const single = content.images.filter(
    (image) => !content.indexes.some(({ members }) => members.some((member) => member.image === image)),
  );
  for (const image of platforms === undefined ? [] : single) checkPlatform(image, platforms!);
  return content;
}

async function readImages(
  files: ArchiveFiles,
  wanted: WantedImages,
  aborted: Aborted | undefined,
): Promise<ArchiveContent> {
  const { select } = wanted;
  const docker = select === undefined || select.docker ? files.find('manifest.json') : undefined;
  const index = files.find('index.json');
  if (docker !== undefined) {
    if (index !== undefined && select === undefined && wanted.platform === undefined) {
      const whole = await withIndexes(files, await readDocument(index), wanted);
      if (whole !== undefined) return whole;
    }
    const images = await dockerImages(files, await readDocument(docker));
    const { name, only = false } = select ?? {};
    if (name !== undefined) return plain(images.filter(({ names }) => names.includes(name)));
    return plain(only && new Set(images.map(({ id }) => id)).size > 1 ? [] : images);
  }
  if (index !== undefined) return await ociImages(files, await readDocument(index), wanted);
  if (select !== undefined && select.docker !== true) throw badArchive('it has no index.json');
  const images = await v1Images(files, aborted);
  if (images === undefined) throw badArchive('it has neither manifest.json nor index.json');
  if (select?.name === undefined) return plain(images);
  const chosen = images.filter(({ names }) => names.includes(select.name!));
  return plain(withParents(chosen, images));
}

function plain(images: ArchiveImage[]): ArchiveContent {
  return { images, indexes: [] };
}

/** What index.json of an archive with manifest.json has, if that is more: images for several platforms. */
async function withIndexes(
  files: ArchiveFiles,
  index: Buffer,
  wanted: WantedImages,
): Promise<ArchiveContent | undefined> {
  const { platforms } = wanted;
  const hasIndex = parseIndex(index).manifests.some(({ mediaType }) => isIndexType(mediaType));
  if (!hasIndex && platforms === undefined) return undefined;
  const content = await ociImages(files, index, wanted);
  if (content.indexes.length === 0 && platforms === undefined) return undefined;
  // Layers are as they are for whoever reads manifest.json: no form in which they are to leave again.
  for (const image of content.images) delete image.manifest;
  return content;
}

function checkPlatform({ config }: ArchiveImage, platforms: readonly Platform[]): void {
  const own = normalizePlatform(parseImageConfig(config));
  if (platforms.some((platform) => samePlatform(platform, own))) return;
  throw new SlipwayError(
    'not-found',
    `the archive has no image for ${platforms.map(formatPlatform).join(', ')}`,
    { code: 'PLATFORM_NOT_FOUND', hint: `It has one for ${formatPlatform(own)}.` },
  );
}

function withParents(wanted: readonly ArchiveImage[], all: readonly ArchiveImage[]): ArchiveImage[] {
  const chosen = new Set(wanted);
  for (const image of chosen) {
    const parent = all.find(({ id }) => id === image.parent);
    if (parent !== undefined) chosen.add(parent);
  }
  return all.filter((image) => chosen.has(image));
}
