import type { Platform } from '../image/types.ts';
import { type ArchiveFiles, badArchive, readDocument } from './archive-files.ts';
import type { ArchiveImage } from './archive-image.ts';
import { dockerImages } from './docker-images.ts';
import { type LayoutSelect, ociImages } from './oci-images.ts';
import type { Aborted } from './types.ts';
import { v1Images } from './v1-images.ts';

/** Which images of an archive are wanted. */
export interface WantedImages {
  /** Which image of an index; default this machine's. */
  platform?: Platform | undefined;
  /** Just one image. */
  select?: LayoutSelect | undefined;
}

/**
 * The images of an archive of any kind; none when there is none that was selected. manifest.json first, as Docker reads
 * its own archives: only there all names stand as people wrote them.
 *
 * @throws SlipwayError `ARCHIVE_INVALID`, `DOCUMENT_INVALID`, `DIGEST_MISMATCH`, `PLATFORM_NOT_FOUND`
 */
export async function archiveImages(
  files: ArchiveFiles,
  { platform, select }: WantedImages,
  aborted?: Aborted,
): Promise<ArchiveImage[]> {
  const docker = select === undefined || select.docker ? files.find('manifest.json') : undefined;
  if (docker !== undefined) {
    const images = await dockerImages(files, await readDocument(docker));
    const { name, only = false } = select ?? {};
    if (name !== undefined) return images.filter(({ names }) => names.includes(name));
    return only && new Set(images.map(({ id }) => id)).size > 1 ? [] : images;
  }
  const index = files.find('index.json');
  if (index !== undefined) return await ociImages(files, await readDocument(index), { platform, select });
  if (select !== undefined && select.docker !== true) throw badArchive('it has no index.json');
  const images = await v1Images(files, aborted);
  if (images === undefined) throw badArchive('it has neither manifest.json nor index.json');
  if (select?.name === undefined) return images;
  const wanted = images.filter(({ names }) => names.includes(select.name!));
  return withParents(wanted, images);
}

function withParents(wanted: readonly ArchiveImage[], all: readonly ArchiveImage[]): ArchiveImage[] {
  const chosen = new Set(wanted);
  for (const image of chosen) {
    const parent = all.find(({ id }) => id === image.parent);
    if (parent !== undefined) chosen.add(parent);
  }
  return all.filter((image) => chosen.has(image));
}
