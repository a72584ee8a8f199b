import { defineCommand } from '../command.ts';
import { bothText, renderUsageDetails, usageColumns, usageLines } from '../render/disk-usage.ts';
import { formatFlag, formatList } from '../render/list-format.ts';

/** `slipway system df` */
export const systemDf = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    ...formatFlag,
    verbose: { type: 'bool', short: 'v', usage: 'Show detailed information on space usage' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values: { format, verbose } }) {
    const { diskUsage } = await import('../../engine/disk-usage.ts');
    const { root, env, signal, stdout } = context;
    const usage = await diskUsage({ root, env, signal });
    if (verbose && format !== '' && format !== 'table') {
      const { formatUsageDetails } = await import('../render/disk-usage-document.ts');
      stdout.write(formatUsageDetails(usage, format, Date.now()));
    } else if (verbose) stdout.write(renderUsageDetails(usage, Date.now()));
    else stdout.write(formatList(usageLines(usage), format || 'table', usageColumns));
    if (format === '' && !verbose) stdout.write(bothText(usage));
    return 0;
  },
});
