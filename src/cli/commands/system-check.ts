import { type CommandContext, defineCommand } from '../command.ts';
import { notWired } from '../not-wired.ts';

/** `slipway system check` */
export const systemCheck = defineCommand({
  usage: '',
  flags: {},
  args: { least: 0, most: 0 },
  run: (context) => perform(context),
});

/** Checks the store; resolves to 1 when something is wrong with it. */
async function perform(_context: CommandContext): Promise<number> {
  throw notWired('check the store');
}
