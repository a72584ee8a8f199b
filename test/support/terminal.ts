import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ended, slipwayCommand } from './slipway.ts';

/** What a person at the terminal does: waits for a text, types, drags the window's edge. */
export type TerminalStep =
  | { expect: string }
  | { send: string }
  | { resize: [rows: number, columns: number] };

export interface TerminalResult {
  /** Everything that appeared, with the terminal's line ends. */
  output: string;
  exitCode: number;
  /** Modes of the terminal after the end: both are on in one that people can type at. */
  echo: boolean;
  canonical: boolean;
  /** Steps that were never reached. */
  left: TerminalStep[];
}

/** Runs the command on a real terminal of 30 rows and 100 columns. */
export async function slipwayInTerminal(
  args: readonly string[],
  options: { root: string; steps?: readonly TerminalStep[] },
): Promise<TerminalResult> {
  const child = spawn('python3', [join(import.meta.dirname, 'on-terminal.py')], {
    env: { ...process.env, SLIPWAY_ROOT: options.root, NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const task = { rows: 30, columns: 100, args: slipwayCommand(args), steps: options.steps ?? [] };
  child.stdin.end(JSON.stringify(task));
  const { stdout, stderr } = await ended(child);
  if (stdout === '') throw new Error(`the terminal did not come up: ${stderr}`);
  return JSON.parse(stdout) as TerminalResult;
}
