import { SlipwayError } from '../../errors/index.ts';
import type { RemovalLine } from '../../store/removal.ts';
import { defineCommand } from '../command.ts';

/** `slipway rmi` */
export const rmi = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: {
    force: { type: 'bool', short: 'f', usage: 'Force removal of the image' },
    'no-prune': { type: 'bool', usage: 'Do not delete untagged parents' },
    platform: {
      type: 'strings',
      usage:
        'Remove only the given platform variant. Formatted as a comma-separated list of "os[/arch[/variant]]" (e.g., "linux/amd64,linux/arm64/v8")',
    },
  },
  args: { least: 1 },
  async run(context, { values, args }) {
    const problems: SlipwayError[] = [];
    const [{ remove }, { chosenPlatforms }] = await Promise.all([
      import('../../engine/remove.ts'),
      import('../requested-platforms.ts'),
    ]);
    await remove({
      images: args,
      platforms: chosenPlatforms(values.platform),
      force: values.force,
      prune: !values['no-prune'],
      root: context.root,
      env: context.env,
      signal: context.signal,
      onRemoved: (lines) => context.stdout.write(lines.map(lineText).join('')),
      onError: (error) => {
        // The others still go; what went wrong is said at the end.
        if (!(error instanceof SlipwayError)) throw error;
        problems.push(error);
      },
    });
    if (problems.length === 0) return 0;
    const missing = problems.every(({ code }) => code === 'IMAGE_NOT_FOUND');
    if (!values.force || !missing) throw problems.length === 1 ? problems[0]! : new AggregateError(problems);
    context.stderr.write(problems.map(({ message }) => `Error: ${message}\n`).join(''));
    return 0;
  },
});

function lineText(line: RemovalLine): string {
  return 'untagged' in line ? `Untagged: ${line.untagged}\n` : `Deleted: ${line.deleted}\n`;
}
