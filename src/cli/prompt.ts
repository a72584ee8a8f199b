import { createInterface } from 'node:readline/promises';
import { SlipwayError } from '../errors/index.ts';
import type { CommandContext } from './command.ts';

const ENTER = new Set([0x0a, 0x0d]);
const INTERRUPT = 0x03;
const END_OF_INPUT = 0x04;
const BACKSPACE = new Set([0x08, 0x7f]);
const KILL_LINE = 0x15;

/** Asks for one line. Throws `canceled` at an interrupt; the end of input is an empty line. */
export async function askLine(context: CommandContext, question: string): Promise<string> {
  const lines = createInterface({ input: context.stdin(), output: context.stdout, terminal: false });
  try {
    context.stdout.write(question);
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
      context.signal.addEventListener('abort', () => reject(canceled()), { once: true });
    });
  } finally {
    lines.close();
  }
}

/** Asks for one line on the terminal without showing what is typed. The terminal is as before when this ends. */
export async function askSecret(context: CommandContext, question: string): Promise<string> {
  const stdin = context.stdin();
  // Before the question: what is typed at once must not be shown either.
  stdin.setRawMode(true);
  const typed: number[] = [];
  try {
    context.stdout.write(question);
    await new Promise<void>((resolve, reject) => {
      stdin.on('data', (chunk: Buffer) => {
        for (const byte of chunk) {
          if (ENTER.has(byte) || (byte === END_OF_INPUT && typed.length === 0)) resolve();
          else if (byte === INTERRUPT) reject(canceled());
          else if (byte === KILL_LINE) typed.length = 0;
          else if (BACKSPACE.has(byte)) eraseLast(typed);
          else typed.push(byte);
        }
      });
      stdin.once('end', resolve);
      // An earlier question may have paused it.
      stdin.resume();
      context.signal.addEventListener('abort', () => reject(canceled()), { once: true });
    });
  } finally {
    stdin.removeAllListeners('data');
    stdin.setRawMode(false);
    stdin.pause();
    context.stdout.write('\n');
  }
  return Buffer.from(typed).toString('utf8');
}

/** A character of UTF-8 is up to four bytes, all but the first 10xxxxxx. */
function eraseLast(typed: number[]): void {
  while (typed.length > 0 && (typed.pop()! & 0xc0) === 0x80);
}

function canceled(): SlipwayError {
  return new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
}
