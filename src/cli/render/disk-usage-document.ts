import type { DiskUsage, ImageUsage } from '../../engine/disk-usage.ts';
import { familiarName, parseReference } from '../../image/reference.ts';
import { safeText } from '../../progress/safe-text.ts';
import type { CacheEntry } from '../../store/gc/cache-entries.ts';
import { GoStruct, parseFormat, render } from '../../template/index.ts';
import { goLocalTime } from './go-time.ts';
import { createdSince, humanSize } from './human.ts';
import { imageColumns } from './image-columns.ts';
import { type ImageLine, imageLines } from './image-list.ts';
import { type Column, rowStruct } from './list-format.ts';

type UsedImage = ImageLine & Pick<ImageUsage, 'sharedBytes' | 'uniqueBytes'>;

/**
 * `system df -v --format`: one document with all images, containers, volumes and the build cache. `now` is in
 * milliseconds since 1970.
 *
 * @throws SlipwayError `TEMPLATE_SYNTAX`, `TEMPLATE_FAILED`
 */
export function formatUsageDetails(usage: DiskUsage, format: string, now: number): string {
  const template = parseFormat(format === 'json' ? '{{json .}}' : format);
  const images = usage.images.flatMap(linesOf);
  const document = new GoStruct({
    typeName: '*formatter.diskUsageContext',
    fields: [
      ['Images', images.map((line) => rowStruct(line, usedImages(now)))],
      ['Containers', []],
      ['Volumes', []],
      ['BuildCache', usage.cache.map((entry) => rowStruct(entry, cacheEntries(now)))],
    ],
  });
  return render(template, document);
}

/** An image without a name is a line too. */
function linesOf({ image, sharedBytes, uniqueBytes }: ImageUsage): UsedImage[] {
  const tags = image.tags.map((name) => parseReference(name));
  const listed = {
    ...image,
    tags: tags.map((name) => ({ repository: familiarName(name), tag: name.tag ?? '' })),
    digests: [],
  };
  return imageLines([listed], false).map((line) => ({ ...line, sharedBytes, uniqueBytes }));
}

function usedImages(now: number): { typeName: string; columns: Column<UsedImage>[] } {
  const { typeName, columns } = imageColumns({ noTrunc: true, digests: false, now });
  const known: Record<string, (line: UsedImage) => string> = {
    Containers: () => '0',
    Digest: () => '',
    SharedSize: ({ sharedBytes }) => humanSize(sharedBytes, 4),
    UniqueSize: ({ uniqueBytes }) => humanSize(uniqueBytes, 4),
  };
  return {
    typeName,
    columns: columns.map((column) => ({ ...column, value: known[column.name] ?? column.value })),
  };
}

function cacheEntries(now: number): { typeName: string; columns: Column<CacheEntry>[] } {
  const time = (ms: number): string => new Date(ms).toISOString();
  const values: Record<string, (entry: CacheEntry) => string> = {
    ID: ({ id }) => id,
    Parent: ({ parents }) => parents.join(', '),
    CacheType: ({ type }) => type,
    Description: ({ description }) => safeText(description),
    InUse: ({ inUse }) => String(inUse),
    Shared: ({ shared }) => String(shared),
    Size: ({ size }) => humanSize(size, 4),
    CreatedAt: ({ createdMs }) => goLocalTime(time(createdMs)),
    CreatedSince: ({ createdMs }) => createdSince(time(createdMs), now),
    LastUsedAt: ({ lastUsedMs }) => goLocalTime(time(lastUsedMs)),
    LastUsedSince: ({ lastUsedMs }) => createdSince(time(lastUsedMs), now),
  };
  const columns = Object.entries(values).map(([name, value]) => ({ name, header: '', value }));
  return { typeName: '*formatter.buildCacheContext', columns };
}
