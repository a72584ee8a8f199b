import type { CacheEntry } from '../../store/gc/cache-entries.ts';
import { freedBytes } from '../../store/gc/choose.ts';
import { createdSince, humanSize } from './human.ts';
import { renderTable } from './table.ts';

/** Entries as `docker buildx du` and `prune` list them; what images need as well has a star behind its size. */
export function renderCacheList(entries: readonly CacheEntry[], now: number): string {
  const rows = entries.map((entry) => [
    entry.id,
    String(isReclaimable(entry)),
    `${humanSize(entry.size)}${entry.shared ? '*' : ''}`,
    createdSince(new Date(entry.lastUsedMs).toISOString(), now),
  ]);
  return renderTable(['ID', 'RECLAIMABLE', 'SIZE', 'LAST ACCESSED'], rows);
}

/** All that is known of each entry, as `--verbose` shows it. */
export function renderCacheDetails(entries: readonly CacheEntry[], now: number): string {
  return entries
    .map((entry) => {
      const rows: [string, string][] = [
        ['ID', entry.id],
        ...entry.parents.map((parent): [string, string] => ['Parent', parent]),
        ['Created at', new Date(entry.createdMs).toISOString()],
        ['Mutable', 'false'],
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
        Mutable: false,
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
