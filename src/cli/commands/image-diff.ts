import { ASPECTS, type Aspect } from '../../engine/look/tree-changes.ts';
import { SlipwayError } from '../../errors/index.ts';
import { safeJson } from '../../progress/safe-text.ts';
import { defineCommand } from '../command.ts';
import { renderImageDiff } from '../render/image-diff.ts';

/** `slipway image diff` */
export const imageDiff = defineCommand({
  usage: '[OPTIONS] IMAGE IMAGE',
  flags: {
    'exit-code': { type: 'bool', usage: 'End with exit code 1 when the images differ' },
    format: { type: 'string', default: 'text', usage: 'Format of the output ("text", "json")' },
    ignore: {
      type: 'list',
      valueName: 'aspect',
      usage: `What of files does not count (${ASPECTS.join(', ')})`,
    },
  },
  args: { least: 2, most: 2 },
  async run(context, { values, args: [before, after] }) {
    const { format } = values;
    if (format !== 'text' && format !== 'json') {
      throw new SlipwayError('usage', `unknown format ${JSON.stringify(format)}`, {
        code: 'FORMAT_INVALID',
        hint: 'Formats: text, json.',
      });
    }
    const ignore = values.ignore.flatMap((text) => text.split(',')).map(aspect);
    const { diffImages } = await import('../../engine/look/image-diff.ts');
    const { root, env, signal, stdout } = context;
    const diff = await diffImages({ before: before!, after: after!, ignore, root, env, signal });
    stdout.write(format === 'json' ? `${safeJson(diff, 2)}\n` : renderImageDiff(diff));
    const differ = diff.config.length + diff.files.length > 0;
    return differ && values['exit-code'] ? 1 : 0;
  },
});

function aspect(text: string): Aspect {
  const found = ASPECTS.find((each) => each === text);
  if (found !== undefined) return found;
  throw new SlipwayError('usage', `invalid --ignore ${JSON.stringify(text)}`, {
    code: 'ASPECT_INVALID',
    hint: `One of ${ASPECTS.join(', ')}.`,
  });
}
