import { defineCommand } from '../command.ts';
import { isExplainFormat, unknownFormat } from './explain-format.ts';

/** `slipway explain` */
export const explain = defineCommand({
  usage: '[OPTIONS] [BUILD]',
  flags: {
    format: { type: 'string', default: 'text', usage: 'Format the output ("text", "json")' },
    with: { type: 'string', usage: 'Compare with this `build` instead of the one before' },
  },
  args: { least: 0, most: 1 },
  async run({ root, stdout }, { values, args }) {
    const { format } = values;
    if (!isExplainFormat(format)) throw unknownFormat(format);
    const { printExplanation } = await import('./explain-print.ts');
    printExplanation({ root, build: args[0], with: values.with || undefined }, format, stdout);
    return 0;
  },
});
