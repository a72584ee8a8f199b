import type { DiskUsage, ImageUsage } from '../../engine/disk-usage.ts';
import { familiarName, parseReference } from '../../image/reference.ts';
import { safeText } from '../../progress/safe-text.ts';
import type { CacheEntry } from '../../store/gc/cache-entries.ts';
import { createdSince, humanSize } from './human.ts';
import { shortId } from './image-list.ts';
import type { ListKind } from './list-format.ts';
import { renderTable } from './table.ts';

/** A line of `system df`. */
export interface UsageLine {
  type: string;
  total: number;
  active: number;
  bytes: number;
  reclaimable: number;
  /** Docker says for some kinds which part of the size that is. */
  percent: boolean;
}

/** The four lines of `docker system df`; there are no stored containers and no volumes here. */
export function usageLines(usage: DiskUsage): UsageLine[] {
  const none = { total: 0, active: 0, bytes: 0, reclaimable: 0, percent: false };
  return [
    {
      type: 'Images',
      total: usage.images.length,
      active: 0,
      bytes: usage.imageBytes,
      reclaimable: usage.imageReclaimable,
      percent: true,
    },
    { type: 'Containers', ...none },
    { type: 'Local Volumes', ...none },
    {
      type: 'Build Cache',
      total: usage.cache.length,
      active: usage.cache.filter(({ inUse }) => inUse).length,
      bytes: usage.cacheBytes,
      reclaimable: usage.cacheReclaimable,
      percent: false,
    },
  ];
}

/** The placeholders of `docker system df --format`. */
export const usageColumns: ListKind<UsageLine> = {
  typeName: '*formatter.diskUsageContext',
  table: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
  columns: [
    { name: 'Type', header: 'TYPE', value: ({ type }) => type },
    { name: 'TotalCount', header: 'TOTAL', value: ({ total }) => String(total) },
    { name: 'Active', header: 'ACTIVE', value: ({ active }) => String(active) },
    { name: 'Size', header: 'SIZE', value: ({ bytes }) => humanSize(bytes, 4) },
    { name: 'Reclaimable', header: 'RECLAIMABLE', value: reclaimable },
  ],
};

function reclaimable({ bytes, reclaimable, percent }: UsageLine): string {
  const text = humanSize(reclaimable, 4);
  return percent && bytes > 0 ? `${text} (${Math.floor((100 * reclaimable) / bytes)}%)` : text;
}

/** What is kept twice and counted once, as a sentence; empty when there is none of it. */
export function bothText({ bothBytes }: DiskUsage): string {
  if (bothBytes === 0) return '';
  return `\n${humanSize(bothBytes, 4)} of the images' size is build cache too, and goes when both go: slipway system prune -a\n`;
}

/** `system df -v`. `now` is in milliseconds since 1970. */
export function renderUsageDetails(usage: DiskUsage, now: number): string {
  return [
    `Images space usage:\n\n${imageTable(usage.images, now)}`,
    `Containers space usage:\n\n${renderTable(CONTAINER_HEADERS, [])}`,
    `Local Volumes space usage:\n\n${renderTable(['VOLUME NAME', 'LINKS', 'SIZE'], [])}`,
    `Build cache usage: ${humanSize(usage.cacheBytes, 4)}\n\n${cacheTable(usage.cache, now)}`,
  ].join('\n');
}

const CONTAINER_HEADERS = [
  ...['CONTAINER ID', 'IMAGE', 'COMMAND', 'LOCAL VOLUMES', 'SIZE', 'CREATED', 'STATUS', 'NAMES'],
];

function imageTable(images: readonly ImageUsage[], now: number): string {
  const headers = [
    'REPOSITORY',
    'TAG',
    'IMAGE ID',
    'CREATED',
    'SIZE',
    'SHARED SIZE',
    'UNIQUE SIZE',
    'CONTAINERS',
  ];
  const rows = images.flatMap(({ image, sharedBytes, uniqueBytes }) => {
    const names = image.tags.map((tag) => parseReference(tag));
    const pairs = names.map((name): [string, string] => [familiarName(name), name.tag ?? '<none>']);
    return (pairs.length > 0 ? pairs : [['<none>', '<none>'] as [string, string]]).map(
      ([repository, tag]) => [
        safeText(repository),
        safeText(tag),
        shortId(image.id),
        createdSince(image.created, now),
        humanSize(image.size),
        humanSize(sharedBytes, 4),
        humanSize(uniqueBytes, 4),
        '0',
      ],
    );
  });
  return renderTable(headers, rows);
}

function cacheTable(cache: readonly CacheEntry[], now: number): string {
  const headers = ['CACHE ID', 'CACHE TYPE', 'SIZE', 'CREATED', 'LAST USED', 'SHARED'];
  const ago = (ms: number): string => createdSince(new Date(ms).toISOString(), now);
  const rows = cache.map((entry) => [
    entry.id.slice(0, 12),
    entry.type,
    humanSize(entry.size, 4),
    ago(entry.createdMs),
    ago(entry.lastUsedMs),
    String(entry.shared),
  ]);
  return renderTable(headers, rows);
}
