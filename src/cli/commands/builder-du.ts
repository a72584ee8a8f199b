import { SlipwayError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { cacheColumns, renderCacheDetails, renderCacheJson, renderCacheSums } from '../render/cache-list.ts';
import { formatList } from '../render/list-format.ts';

/** `slipway builder du` */
export const builderDu = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    filter: { type: 'list', valueName: 'filter', usage: 'Provide filter values' },
    format: {
      type: 'string',
      usage: 'Format the output ("table", "pretty", "json", or a Go template for each entry)',
    },
    verbose: { type: 'bool', usage: 'Provide a more verbose output' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values }) {
    const { filter, format, verbose } = values;
    if (verbose && format !== '' && format !== 'pretty') {
      throw new SlipwayError('usage', '--format and --verbose cannot be used together', {
        code: 'FLAGS_CONFLICT',
      });
    }
    const { cacheUsage } = await import('../../engine/prune.ts');
    const { root, env, signal } = context;
    const entries = await cacheUsage({ root, env, signal, filters: filter });
    const now = Date.now();
    if (format === 'json') context.stdout.write(renderCacheJson(entries));
    else if (verbose || format === 'pretty') {
      context.stdout.write(`${renderCacheDetails(entries, now)}${renderCacheSums(entries)}`);
    } else {
      const list = formatList(entries, format || 'table', cacheColumns(now));
      // As in Docker, the sums are part of the table that is shown without a format.
      context.stdout.write(format === '' || format === 'table' ? `${list}${renderCacheSums(entries)}` : list);
    }
    return 0;
  },
});
