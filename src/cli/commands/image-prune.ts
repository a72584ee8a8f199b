import { PRUNE_FILTERS } from '../../engine/prune-images.ts';
import type { RemovalLine } from '../../store/removal.ts';
import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { filterFlag, parseFilters } from '../filters.ts';
import { humanSize } from '../render/human.ts';

/** `slipway image prune` */
export const imagePrune = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    all: { type: 'bool', short: 'a', usage: 'Remove all unused images, not just dangling ones' },
    filter: {
      type: 'list',
      valueName: 'filter',
      usage: 'Provide filter values (e.g. "until=<timestamp>")',
      check: filterFlag.filter.check,
    },
    force: { type: 'bool', short: 'f', usage: 'Do not prompt for confirmation' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values: { all, filter, force } }) {
    const filters = parseFilters(filter, PRUNE_FILTERS);
    const warning = all
      ? 'This will remove all images without at least one container associated to them.'
      : 'This will remove all dangling images.';
    if (!force && !(await confirm(context, warning))) return 0;
    const { pruneImages } = await import('../../engine/prune-images.ts');
    const { root, env, signal, stdout } = context;
    const { lines, reclaimed } = await pruneImages({ all, filters, root, env, signal });
    stdout.write(deletedImagesText(lines));
    stdout.write(`Total reclaimed space: ${humanSize(reclaimed, 4)}\n`);
    return 0;
  },
});

/** The images that a prune has removed; empty when there are none. */
export function deletedImagesText(lines: readonly RemovalLine[]): string {
  return lines.length === 0 ? '' : `Deleted Images:\n${lines.map(lineText).join('')}\n`;
}

function lineText(line: RemovalLine): string {
  return 'untagged' in line ? `untagged: ${line.untagged}\n` : `deleted: ${line.deleted}\n`;
}
