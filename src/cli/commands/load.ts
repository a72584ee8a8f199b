import { SlipwayError } from '../../errors/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { notWired } from '../not-wired.ts';

/** What a `load` command line asks for. */
export interface LoadRequest {
  /** Path of the archive; undefined is standard input. */
  input: string | undefined;
  quiet: boolean;
}

/** `slipway load` */
export const load = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    input: { type: 'string', short: 'i', usage: 'Read from tar archive file, instead of STDIN' },
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
    return perform({ input: values.input || undefined, quiet: values.quiet }, context);
  },
});

/** Loads and prints `Loaded image: …` lines. */
async function perform(_request: LoadRequest, _context: CommandContext): Promise<number> {
  throw notWired('load');
}
