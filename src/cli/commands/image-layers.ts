import type { LookedLayers } from '../../engine/look/image-layers.ts';
import { SlipwayError } from '../../errors/index.ts';
import { safeJson } from '../../progress/safe-text.ts';
import { defineCommand } from '../command.ts';
import { layerColumns, wasteText } from '../render/layer-list.ts';
import { formatFlag, formatList } from '../render/list-format.ts';

/** `slipway image layers` */
export const imageLayersCommand = defineCommand({
  usage: '[OPTIONS] IMAGE',
  flags: {
    ...formatFlag,
    'highest-wasted-bytes': {
      type: 'string',
      valueName: 'bytes',
      usage: 'End with exit code 1 when more is wasted ("20MB")',
    },
    'lowest-efficiency': {
      type: 'string',
      valueName: 'fraction',
      usage: 'End with exit code 1 below this part of bytes that are not wasted (0 to 1)',
    },
    'no-trunc': { type: 'bool', usage: "Don't truncate output" },
    paths: { type: 'int', default: '10', valueName: 'number', usage: 'How many wasteful paths to show' },
  },
  args: { least: 1, most: 1 },
  async run(context, { values, args }) {
    const { format, paths, 'no-trunc': noTrunc } = values;
    const lowest = fraction(values['lowest-efficiency']);
    const { parseByteSize } = await import('../byte-size.ts');
    const most = values['highest-wasted-bytes'];
    const highest = most === '' ? Number.POSITIVE_INFINITY : parseByteSize(most);
    const { lookAtLayers } = await import('../../engine/look/image-layers.ts');
    const { root, env, signal, stdout } = context;
    const looked = await lookAtLayers({ image: args[0]!, root, env, signal });
    if (format === 'json') stdout.write(`${safeJson(looked, 2)}\n`);
    else {
      const kind = layerColumns({ noTrunc });
      stdout.write(formatList(looked.layers, format || 'table', kind));
      if (format === '' || format === 'table') stdout.write(wasteText(looked, paths));
    }
    const failed = problems(looked, lowest, highest);
    for (const problem of failed) context.stderr.write(`${problem}\n`);
    return failed.length > 0 ? 1 : 0;
  },
});

function problems(looked: LookedLayers, lowest: number, highest: number): string[] {
  const { efficiency, wasted } = looked;
  return [
    ...(efficiency < lowest ? [`efficiency ${efficiency.toFixed(4)} is below ${lowest}`] : []),
    ...(wasted > highest ? [`${wasted} bytes are wasted, more than ${highest}`] : []),
  ];
}

function fraction(text: string): number {
  if (text === '') return 0;
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new SlipwayError('usage', `invalid --lowest-efficiency ${JSON.stringify(text)}`, {
    code: 'FRACTION_INVALID',
    hint: 'A number from 0 to 1, such as 0.95.',
  });
}
