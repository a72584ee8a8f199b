import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ended, slipwayCommand } from './slipway.ts';

/** What a person at the terminal does: waits for a text, types, drags the window's edge; or ends what a RUN waits for. */
export type TerminalStep =
  | { expect: string }
  | { send: string }
  | { resize: [rows: number, columns: number] }
  /** Remembers the screen after the next picture of a live view. */
  | { mark: string }
  /** Ends the process that was started with exactly these words, once there is one. */
  | { end: string[] };

/** What happened on the terminal, in order. */
export type TerminalPiece = { data: Buffer } | { resize: [rows: number, columns: number] } | { mark: string };

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

export interface TerminalOptions {
  root: string;
  steps?: readonly TerminalStep[];
  /** Of the terminal: 30 by 100 unless said. */
  rows?: number;
  columns?: number;
  /** The command has a live view: no change of size and no mark cuts one of its pictures in two. */
  redraws?: boolean;
  env?: Record<string, string | undefined>;
}

/** Runs the command on a real terminal. */
export async function slipwayInTerminal(
  args: readonly string[],
  options: TerminalOptions,
): Promise<TerminalResult> {
  const { pieces: _, ...result } = await slipwayOnTerminal(args, options);
  return result;
}

/** The same, with what happened piece by piece, from which a terminal's screen can be made. */
export async function slipwayOnTerminal(
  args: readonly string[],
  options: TerminalOptions,
): Promise<TerminalResult & { pieces: TerminalPiece[] }> {
  return programOnTerminal(slipwayCommand(args), options);
}

/** As `slipwayOnTerminal`, for any program. */
export async function programOnTerminal(
  args: readonly string[],
  { root, steps = [], rows = 30, columns = 100, redraws = false, env }: TerminalOptions,
): Promise<TerminalResult & { pieces: TerminalPiece[] }> {
  const child = spawn('python3', [join(import.meta.dirname, 'on-terminal.py')], {
    env: { ...process.env, SLIPWAY_ROOT: root, NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(JSON.stringify({ rows, columns, redraws, args, steps }));
  const { stdout, stderr } = await ended(child);
  if (stdout === '') throw new Error(`the terminal did not come up: ${stderr}`);
  const { pieces: recorded, ...result } = JSON.parse(stdout) as Omit<TerminalResult, 'output'> & {
    pieces: ({ data: string } | Exclude<TerminalPiece, { data: Buffer }>)[];
  };
  const pieces = recorded.map((piece) =>
    'data' in piece ? { data: Buffer.from(piece.data, 'base64') } : piece,
  );
  const output = Buffer.concat(pieces.flatMap((piece) => ('data' in piece ? [piece.data] : []))).toString();
  return { ...result, output, pieces };
}
