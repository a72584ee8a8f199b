import { createInterface } from 'node:readline/promises';
import type { CommandContext } from './command.ts';

/**
 * Asks on the terminal, or whatever standard input is, as Docker does: only `y` or `yes` is a yes. An interrupt is a
 * no.
 */
export async function confirm(context: CommandContext, warning: string): Promise<boolean> {
  const lines = createInterface({ input: context.stdin(), output: context.stdout, terminal: false });
  try {
    context.stdout.write(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
    const answer = await new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
      context.signal.addEventListener('abort', () => resolve(''), { once: true });
    });
    return ['y', 'yes'].includes(answer.trim().toLowerCase());
  } finally {
    lines.close();
  }
}
