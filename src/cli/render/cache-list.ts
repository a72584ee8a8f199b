import type { CacheEntry } from '../../store/gc/cache-entries.ts';
import { freedBytes } from '../../store/gc/choose.ts';
import { isMutable } from '../../store/gc/filter.ts';
import { createdSince, humanSize } from './human.ts';
import { formatList, type ListKind } from './list-format.ts';

/** The placeholders of `docker buildx du --format`. `now` is in milliseconds since 1970. */
export function cacheColumns(now: number): ListKind<CacheEntry> {
  return {
    typeName: '*commands.diskusageContext',
    table: '{{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastUsedAt}}',
    columns: [
      { name: 'ID', header: 'ID', value: ({ id }) => id },
      { name: 'Parents', header: 'PARENTS', value: ({ parents }) => parents.join(',') },
      {
        name: 'CreatedAt',
        header: 'CREATED AT',
        value: ({ createdMs }) => new Date(createdMs).toISOString(),
      },
      { name: 'Mutable', header: 'MUTABLE', value: (entry) => String(isMutable(entry)) },
      { name: 'Reclaimable', header: 'RECLAIMABLE', value: (entry) => String(isReclaimable(entry)) },
      { name: 'Shared', header: 'SHARED', value: ({ shared }) => String(shared) },
      // What images need as well has a star.
      { name: 'Size', header: 'SIZE', value: ({ size, shared }) => `${humanSize(size)}${shared ? '*' : ''}` },
      { name: 'Description', header: 'DESCRIPTION', value: ({ description }) => oneLine(description) },
      {
        name: 'LastUsedAt',
        header: 'LAST ACCESSED',
        value: ({ lastUsedMs }) => createdSince(new Date(lastUsedMs).toISOString(), now),
      },
      { name: 'Type', header: 'TYPE', value: ({ type }) => type },
    ],
  };
}

/** Entries as `docker buildx du` and `prune` list them. */
export function renderCacheList(entries: readonly CacheEntry[], now: number): string {
  return formatList(entries, 'table', cacheColumns(now));
}

/** All that is known of each entry, as `--verbose` shows it. */
export function renderCacheDetails(entries: readonly CacheEntry[], now: number): string {
  return entries
    .map((entry) => {
      const rows: [string, string][] = [
        ['ID', entry.id],
        ...entry.parents.map((parent): [string, string] => ['Parent', parent]),
        ['Created at', new Date(entry.createdMs).toISOString()],
        ['Mutable', String(isMutable(entry))],
        ['Reclaimable', String(isReclaimable(entry))],
        ['Shared', String(entry.shared)],
        ['Size', humanSize(entry.size)],
        ['Description', entry.description],
        ['Last used', createdSince(new Date(entry.lastUsedMs).toISOString(), now)],
        ['Type', entry.type],
      ];
      return `${rows.map(([name, value]) => `${`${name}:`.padEnd(13)}${oneLine(value)}\n`).join('')}\n`;
    })
    .join('');
}

/** The sums under `du`. */
export function renderCacheSums(entries: readonly CacheEntry[]): string {
  const sum = (fits: (entry: CacheEntry) => boolean): number =>
    entries.filter(fits).reduce((bytes, { size }) => bytes + size, 0);
  const sums: [string, number][] = [
    ['Shared', sum(({ shared }) => shared)],
    ['Private', sum(({ shared }) => !shared)],
    ['Reclaimable', sum(isReclaimable)],
    ['Total', sum(() => true)],
  ];
  return sums.map(([name, bytes]) => `${`${name}:`.padEnd(13)}${humanSize(bytes)}\n`).join('');
}

/** Entries as JSON, one a line, with the names of `docker buildx du --format json`. */
export function renderCacheJson(entries: readonly CacheEntry[]): string {
  return entries
    .map((entry) =>
      JSON.stringify({
        ID: entry.id,
        Parents: entry.parents,
        CreatedAt: new Date(entry.createdMs).toISOString(),
        Mutable: isMutable(entry),
        Reclaimable: isReclaimable(entry),
        Shared: entry.shared,
        Size: entry.size,
        Description: entry.description,
        LastUsedAt: new Date(entry.lastUsedMs).toISOString(),
        Type: entry.type,
      }),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Its removal frees something, and nothing is in the way of it. */
function isReclaimable(entry: CacheEntry): boolean {
  return !entry.inUse && freedBytes(entry) > 0;
}

/** Descriptions are a Dockerfile's text. */
function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ');
}
