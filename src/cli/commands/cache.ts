import type { CacheUsage } from '../../engine/cache-mounts.ts';
import { SlipwayError } from '../../errors/index.ts';
import { safeJson, safeText } from '../../progress/safe-text.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { createdSince, humanSize } from '../render/human.ts';
import { renderTable } from '../render/table.ts';

/** `slipway cache ls` */
export const cacheLs = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    format: { type: 'string', default: 'table', usage: 'Format the output ("table", "json")' },
    quiet: { type: 'bool', short: 'q', usage: 'Only show ids' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values }) {
    const { stdout } = context;
    if (values.format !== 'table' && values.format !== 'json') {
      throw new SlipwayError('usage', `unknown format ${JSON.stringify(values.format)}`, {
        code: 'FORMAT_INVALID',
        hint: 'Formats: table, json.',
      });
    }
    const { listCacheMounts } = await import('../../engine/cache-mounts.ts');
    const caches = await listCacheMounts(context);
    if (values.quiet) stdout.write(caches.map((cache) => `${nameOf(cache)}\n`).join(''));
    else if (values.format === 'json') stdout.write(caches.map((cache) => `${safeJson(cache)}\n`).join(''));
    else stdout.write(renderCaches(caches, Date.now()));
    return 0;
  },
});

/** `slipway cache inspect` */
export const cacheInspect = defineCommand({
  usage: 'CACHE [CACHE...]',
  flags: {},
  args: { least: 1 },
  async run(context, { args }) {
    const { findCacheMount, listCacheMounts } = await import('../../engine/cache-mounts.ts');
    const caches = await listCacheMounts(context);
    const found = args.map((text) => findCacheMount(caches, text));
    context.stdout.write(`${safeJson(found, 4)}\n`);
    return 0;
  },
});

/** `slipway cache rm` */
export const cacheRm = defineCommand({
  usage: 'CACHE [CACHE...]',
  flags: {},
  args: { least: 1 },
  async run(context, { args }) {
    const { findCacheMount } = await import('../../engine/cache-mounts.ts');
    const { busy } = await remove(context, (caches) => [
      ...new Set(args.map((text) => findCacheMount(caches, text))),
    ]);
    if (busy.length === 0) return 0;
    throw new SlipwayError('conflict', `a running build has it mounted: ${busy.map(nameOf).join(', ')}`, {
      code: 'CACHE_IN_USE',
      hint: 'Wait for the build to end, then try again.',
    });
  },
});

/** `slipway cache prune` */
export const cachePrune = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    'dry-run': { type: 'bool', usage: 'Only show what would go' },
    'older-than': { type: 'string', usage: 'Only those that were not used for so long ("24h", "30m")' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values }) {
    const { parseDuration } = await import('../../dockerfile/duration.ts');
    const olderThanNs = values['older-than'] === '' ? 0 : parseDuration(values['older-than']);
    const before = Date.now() - olderThanNs / 1e6;
    let chosen: readonly CacheUsage[] = [];
    const choose = (caches: readonly CacheUsage[]): readonly CacheUsage[] => {
      chosen = caches.filter(({ lastUsedMs, inUse }) => !inUse && lastUsedMs <= before);
      return values['dry-run'] ? [] : chosen;
    };
    const { removed } = await remove(context, choose);
    const gone = values['dry-run'] ? chosen : removed;
    if (values['dry-run']) context.stdout.write(gone.map((cache) => `${nameOf(cache)}\n`).join(''));
    const total = humanSize(gone.reduce((sum, { size }) => sum + size, 0));
    context.stdout.write(`${values['dry-run'] ? 'Would free' : 'Total reclaimed space'}: ${total}\n`);
    return 0;
  },
});

async function remove(
  context: CommandContext,
  choose: (caches: readonly CacheUsage[]) => readonly CacheUsage[],
): Promise<{ removed: CacheUsage[]; busy: CacheUsage[] }> {
  const { removeCacheMounts } = await import('../../engine/cache-mounts.ts');
  const removed: CacheUsage[] = [];
  const busy: CacheUsage[] = [];
  await removeCacheMounts({
    root: context.root,
    env: context.env,
    signal: context.signal,
    choose,
    onRemoved: (cache) => {
      removed.push(cache);
      context.stdout.write(`${nameOf(cache)}\n`);
    },
    onBusy: (cache) => busy.push(cache),
  });
  return { removed, busy };
}

function renderCaches(caches: readonly CacheUsage[], now: number): string {
  const rows = caches.map((cache) => [
    nameOf(cache),
    humanSize(cache.size),
    createdSince(new Date(cache.lastUsedMs).toISOString(), now),
    cache.inUse ? 'yes' : 'no',
  ]);
  return renderTable(['ID', 'SIZE', 'LAST USED', 'IN USE'], rows);
}

/** By which a cache can be named; its digest where the id is not known. */
function nameOf({ id, digest }: CacheUsage): string {
  return id === undefined ? digest.slice(0, 12) : safeText(id);
}
