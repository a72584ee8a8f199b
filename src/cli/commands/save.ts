import { SlipwayError } from '../../errors/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';

/** What a `save` command line asks for. */
export interface SaveRequest {
  images: string[];
  /** Path of the archive; undefined is standard output. */
  output: string | undefined;
  /** As given. */
  platforms: string[];
}

/** `slipway save` */
export const save = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: {
    output: { type: 'string', short: 'o', usage: 'Write to a file, instead of STDOUT' },
    platform: {
      type: 'strings',
      usage:
        'Save only the given platform(s). Formatted as a comma-separated list of "os[/arch[/variant]]" (e.g., "linux/amd64,linux/arm64/v8")',
    },
  },
  args: { least: 1 },
  async run(context, { values, args }) {
    if (values.output === '' && context.stdout.isTTY) {
      throw new SlipwayError(
        'usage',
        'cowardly refusing to save to a terminal. Use the -o flag or redirect',
        {
          code: 'STDOUT_IS_TERMINAL',
        },
      );
    }
    const { output } = values;
    if (/^(?:oci|oci-archive|docker-archive):./.test(output)) {
      throw new SlipwayError('usage', `${output} is no name of a file`, {
        code: 'TRANSPORT_UNSUPPORTED',
        hint: `slipway push ${args[0]} ${output} writes there. A file of that name is ./${output}.`,
      });
    }
    return perform({ images: args, output: output || undefined, platforms: values.platform }, context);
  },
});

/** Writes the archive. */
async function perform(request: SaveRequest, context: CommandContext): Promise<number> {
  const [{ save }, { chosenPlatforms }] = await Promise.all([
    import('../../engine/save.ts'),
    import('../requested-platforms.ts'),
  ]);
  const { root, env, signal, stderr } = context;
  await save({
    images: request.images,
    output: request.output,
    platforms: chosenPlatforms(request.platforms),
    root,
    env,
    signal,
    onWarning: (text) => void stderr.write(`WARNING: ${text}\n`),
  });
  return 0;
}
