import { historyRows } from '../../image/history.ts';
import { imageAncestry, imageDocuments, imageLayers, noImage } from '../../store/images.ts';
import { defineCommand } from '../command.ts';
import { onPlatform } from '../on-platform.ts';
import { withExistingStore } from '../open-existing.ts';
import { historyColumns, historyId } from '../render/history-columns.ts';
import { formatFlag, formatList } from '../render/list-format.ts';

/** `slipway history` */
export const history = defineCommand({
  usage: '[OPTIONS] IMAGE',
  flags: {
    ...formatFlag,
    human: {
      type: 'bool',
      short: 'H',
      default: 'true',
      usage: 'Print sizes and dates in human readable format',
    },
    'no-trunc': { type: 'bool', usage: "Don't truncate output" },
    platform: {
      type: 'string',
      usage: 'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
    quiet: { type: 'bool', short: 'q', usage: 'Only show image IDs' },
  },
  args: { least: 1, most: 1 },
  async run(context, { values, args }) {
    const name = args[0]!;
    const rows = withExistingStore(context.root, (store) => {
      if (store === undefined) throw noImage(name);
      const { id } = onPlatform(store, name, values.platform).image;
      const sizes = imageLayers(store, id).map((layer) => layer.size);
      const ids = imageAncestry(store, id).map((image) => image.id);
      return historyRows(ids, imageDocuments(store, id)!.parsed, sizes);
    });
    const { human, quiet, format, 'no-trunc': noTrunc } = values;
    if (quiet && (format === '' || format === 'table')) {
      context.stdout.write(rows.map(({ id }) => `${historyId(id, noTrunc)}\n`).join(''));
      return 0;
    }
    const kind = historyColumns({ human, noTrunc, now: Date.now() });
    context.stdout.write(formatList(rows, format || 'table', kind));
    return 0;
  },
});
