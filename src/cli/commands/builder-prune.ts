import { freedBytes } from '../../store/gc/choose.ts';
import type { GcRule } from '../../store/gc/policy.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import type { FlagValues } from '../flags/definition.ts';
import { renderCacheDetails, renderCacheList } from '../render/cache-list.ts';
import { humanSize } from '../render/human.ts';

const flags = {
  all: { type: 'bool', short: 'a', usage: 'Include what images need; the images themselves stay' },
  'dry-run': { type: 'bool', usage: 'Show what would be removed and what that would free' },
  filter: { type: 'list', valueName: 'filter', usage: 'Provide filter values (e.g., "until=24h")' },
  force: { type: 'bool', short: 'f', usage: 'Do not prompt for confirmation' },
  'keep-storage': {
    type: 'string',
    usage: 'Amount of disk space to keep for cache',
    hidden: true,
    deprecated: 'use --reserved-space instead',
  },
  'max-used-space': { type: 'string', usage: 'Maximum amount of disk space allowed to keep for cache' },
  'min-free-space': { type: 'string', usage: 'Target amount of free disk space after pruning' },
  'reserved-space': { type: 'string', usage: 'Amount of disk space always allowed to keep for cache' },
  verbose: { type: 'bool', usage: 'Provide a more verbose output' },
} as const;

/** `slipway builder prune` */
export const builderPrune = defineCommand({
  usage: '[OPTIONS]',
  flags,
  args: { least: 0, most: 0 },
  async run(context, { values }) {
    const rule = await ruleOf(values);
    const dryRun = values['dry-run'];
    if (!values.force && !dryRun && !(await confirm(context, warningFor(values.all)))) return 0;
    return perform(context, { ...rule, dryRun, verbose: values.verbose });
  },
});

function warningFor(all: boolean): string {
  return `This will remove all ${all ? '' : 'dangling '}build cache.`;
}

async function perform(
  context: CommandContext,
  request: GcRule & { dryRun: boolean; verbose: boolean },
): Promise<number> {
  const { verbose, ...options } = request;
  const { prune } = await import('../../engine/prune.ts');
  const { entries, freed } = await prune({
    ...options,
    root: context.root,
    env: context.env,
    signal: context.signal,
  });
  const now = Date.now();
  if (entries.length > 0) {
    context.stdout.write(verbose ? renderCacheDetails(entries, now) : renderCacheList(entries, now));
  }
  const kept = entries.filter((entry) => freedBytes(entry) === 0).length;
  if (kept > 0 && verbose) context.stdout.write(`${kept} of them stay on the disk: images need them\n`);
  context.stdout.write(`${options.dryRun ? 'Would free' : 'Total'}:\t${humanSize(freed)}\n`);
  return 0;
}

async function ruleOf(values: FlagValues<typeof flags>): Promise<GcRule> {
  const { parseDuration, parseSpace } = await import('../../engine/gc-settings.ts');
  const until = values.filter.filter((text) => text.startsWith('until=')).at(-1);
  const reserved = values['reserved-space'] || values['keep-storage'];
  const most = values['max-used-space'];
  const free = values['min-free-space'];
  return {
    all: values.all,
    filters: values.filter.filter((text) => !text.startsWith('until=')),
    ...(until === undefined ? {} : { keepDurationMs: parseDuration(until.slice('until='.length)) }),
    ...(reserved === '' ? {} : { reservedSpace: parseSpace(reserved) }),
    ...(most === '' ? {} : { maxUsedSpace: parseSpace(most) }),
    ...(free === '' ? {} : { minFreeSpace: parseSpace(free) }),
  };
}
