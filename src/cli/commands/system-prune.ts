import { SlipwayError } from '../../errors/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { filterFlag, parseFilters } from '../filters.ts';
import { humanSize } from '../render/human.ts';
import { deletedImagesText } from './image-prune.ts';

const FILTERS = ['label', 'label!', 'until'] as const;

/** `slipway system prune` */
export const systemPrune = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    all: { type: 'bool', short: 'a', usage: 'Remove all unused images not just dangling ones' },
    filter: {
      type: 'list',
      valueName: 'filter',
      usage: 'Provide filter values (e.g. "label=<key>=<value>")',
      check: filterFlag.filter.check,
    },
    force: { type: 'bool', short: 'f', usage: 'Do not prompt for confirmation' },
    volumes: { type: 'bool', usage: 'Prune anonymous volumes' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values: { all, filter, force, volumes } }) {
    const filters = parseFilters(filter, FILTERS);
    if (volumes && filters.has('until')) {
      throw new SlipwayError('usage', 'ERROR: The "until" filter is not supported with "--volumes"', {
        code: 'FLAGS_CONFLICT',
      });
    }
    if (!force && !(await confirm(context, warning(all, filter)))) return 0;
    // Images first: what they need of the build cache is then the cache's alone.
    const images = await pruneImages(context, all, filters);
    // Build cache has no labels.
    const labelled = filters.has('label') || filters.has('label!');
    const cache = labelled ? 0 : await pruneCache(context, all, filters);
    context.stdout.write(`Total reclaimed space: ${humanSize(images + cache, 4)}\n`);
    return 0;
  },
});

function warning(all: boolean, filters: readonly string[]): string {
  const kinds = all
    ? ['all images without at least one container associated to them', 'all build cache']
    : ['all dangling images', 'unused build cache'];
  const list = (lines: readonly string[]): string => lines.map((line) => `  - ${line}\n`).join('');
  const narrowed =
    filters.length === 0 ? '' : `\n  Items to be pruned will be filtered with:\n${list(filters)}`;
  return `This will remove:\n${list(kinds)}${narrowed}`;
}

async function pruneImages(
  { root, env, signal, stdout }: CommandContext,
  all: boolean,
  filters: ReadonlyMap<string, readonly string[]>,
): Promise<number> {
  const { pruneImages: prune } = await import('../../engine/prune-images.ts');
  const { lines, reclaimed } = await prune({ all, filters, root, env, signal });
  stdout.write(deletedImagesText(lines));
  return reclaimed;
}

async function pruneCache(
  { root, env, signal, stdout }: CommandContext,
  all: boolean,
  filters: ReadonlyMap<string, readonly string[]>,
): Promise<number> {
  const { prune } = await import('../../engine/prune.ts');
  const until = filters.get('until')?.at(-1);
  const { timeOrAge } = await import('../../image/time-or-age.ts');
  const now = Date.now();
  const age = until === undefined ? {} : { keepDurationMs: now - timeOrAge(until, now) };
  const { entries, freed } = await prune({ all, ...age, root, env, signal });
  const ids = entries.map(({ id }) => `${id}\n`).join('');
  if (ids !== '') stdout.write(`Deleted build cache objects:\n${ids}\n`);
  return freed;
}
