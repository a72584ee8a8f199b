import { writeFileSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { safeJson } from '../../progress/safe-text.ts';
import { BuildHistory } from '../../record/history.ts';
import { defineCommand } from '../command.ts';
import { programVersion } from '../program-version.ts';

/** `slipway builds export` */
export const buildsExport = defineCommand({
  usage: '[OPTIONS] [BUILD]',
  flags: {
    output: { type: 'string', short: 'o', usage: 'Write to a `file`, instead of STDOUT' },
    type: {
      type: 'string',
      default: 'trace',
      usage: '"trace" for Chrome trace events, "otel" for OpenTelemetry spans (OTLP JSON)',
    },
  },
  args: { least: 0, most: 1 },
  async run({ root, stdout }, { values, args }) {
    const { type, output } = values;
    if (type !== 'trace' && type !== 'otel') {
      throw new SlipwayError('usage', `unknown type ${JSON.stringify(type)} of an export`, {
        code: 'EXPORT_TYPE',
        hint: 'Types: trace, otel.',
      });
    }
    const record = new BuildHistory(root).find(args[0]);
    const document =
      type === 'trace'
        ? (await import('../../record/export/chrome-trace.ts')).chromeTrace(record)
        : (await import('../../record/export/otlp-trace.ts')).otlpTrace(record, programVersion());
    const text = `${safeJson(document)}\n`;
    if (output === '' || output === '-') stdout.write(text);
    else writeFileSync(output, text);
    return 0;
  },
});
