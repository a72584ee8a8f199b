import { type CommandContext, defineCommand } from '../command.ts';
import { notWired } from '../not-wired.ts';

/** What an `import` command line asks for. */
export interface ImportRequest {
  /** Path, URL or `-`. */
  source: string;
  /** As given; undefined leaves the image without a name. */
  reference: string | undefined;
  /** Dockerfile instructions for the configuration. */
  changes: string[];
  message: string;
  /** As given; undefined is this machine's. */
  platform: string | undefined;
}

/** `slipway import` */
export const importCommand = defineCommand({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  flags: {
    change: { type: 'list', short: 'c', usage: 'Apply Dockerfile instruction to the created image' },
    message: { type: 'string', short: 'm', usage: 'Set commit message for imported image' },
    platform: { type: 'string', usage: 'Set platform if the image is for another one' },
  },
  args: { least: 1, most: 2 },
  run: (context, { values, args }) =>
    perform(
      {
        source: args[0]!,
        reference: args[1],
        changes: values.change,
        message: values.message,
        platform: values.platform || undefined,
      },
      context,
    ),
});

/** Imports and prints the image id. */
async function perform(_request: ImportRequest, _context: CommandContext): Promise<number> {
  throw notWired('import');
}
