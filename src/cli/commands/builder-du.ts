import { SlipwayError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import {
  renderCacheDetails,
  renderCacheJson,
  renderCacheList,
  renderCacheSums,
} from '../render/cache-list.ts';

/** `slipway builder du` */
export const builderDu = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    filter: { type: 'list', valueName: 'filter', usage: 'Provide filter values' },
    format: { type: 'string', default: 'table', usage: 'Format of the output ("table", "json")' },
    verbose: { type: 'bool', usage: 'Provide a more verbose output' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values }) {
    const { filter, format, verbose } = values;
    if (format !== 'table' && format !== 'json') {
      throw new SlipwayError('usage', `unknown format ${JSON.stringify(format)}`, {
        code: 'FORMAT_INVALID',
        hint: 'Formats: table, json.',
      });
    }
    const { cacheUsage } = await import('../../engine/prune.ts');
    const { root, env, signal } = context;
    const entries = await cacheUsage({ root, env, signal, filters: filter });
    const now = Date.now();
    if (format === 'json') context.stdout.write(renderCacheJson(entries));
    else {
      const list = verbose ? renderCacheDetails(entries, now) : renderCacheList(entries, now);
      context.stdout.write(`${list}${renderCacheSums(entries)}`);
    }
    return 0;
  },
});
