import { SlipwayError } from '../../errors/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';

/** What a `load` command line asks for. */
export interface LoadRequest {
  /** Path of the archive; undefined is standard input. */
  input: string | undefined;
  quiet: boolean;
  /** As given. */
  platforms: string[];
}

/** `slipway load` */
export const load = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    input: { type: 'string', short: 'i', usage: 'Read from tar archive file, instead of STDIN' },
    platform: {
      type: 'strings',
      usage:
        'Load only the given platform(s). Formatted as a comma-separated list of "os[/arch[/variant]]" (e.g., "linux/amd64,linux/arm64/v8")',
    },
    quiet: { type: 'bool', short: 'q', usage: 'Suppress the load output' },
  },
  args: { least: 0, most: 0 },
  async run(context, { values }) {
    if (values.input === '' && context.stdin().isTTY) {
      throw new SlipwayError('usage', 'requested load from stdin, but stdin is empty', {
        code: 'STDIN_IS_TERMINAL',
        hint: 'Name the archive with -i, or pipe it in.',
      });
    }
    const { input, quiet, platform: platforms } = values;
    return perform({ input: input || undefined, quiet, platforms }, context);
  },
});

/** Loads and prints `Loaded image: …` lines. */
async function perform(request: LoadRequest, context: CommandContext): Promise<number> {
  const [{ load }, { familiarReference, parseReference }, { chosenPlatforms }] = await Promise.all([
    import('../../engine/load.ts'),
    import('../../image/reference.ts'),
    import('../requested-platforms.ts'),
  ]);
  const { root, env, signal, stdout } = context;
  const familiar = (name: string): string => familiarReference(parseReference(name));
  const platforms = chosenPlatforms(request.platforms);
  for (const { id, names, moved } of await load({ input: request.input, platforms, root, env, signal })) {
    for (const { name, from } of moved) {
      stdout.write(
        `The image ${familiar(name)} already exists, renaming the old one with ID ${from} to empty string\n`,
      );
    }
    for (const name of names) stdout.write(`Loaded image: ${familiar(name)}\n`);
    if (names.length === 0) stdout.write(`Loaded image ID: ${id}\n`);
  }
  return 0;
}
