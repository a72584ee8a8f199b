import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const PROJECT = join(import.meta.dirname, '../..');
const LAUNCHER = join(PROJECT, 'bin/slipway.js');

export interface SlipwayOptions {
  /** The store. */
  root: string;
  cwd?: string;
  /** Added to the environment of the tests; `undefined` takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Standard input; empty when not given. */
  input?: string | Buffer;
  /** In a process group of its own, to which signals can be sent as a terminal does. */
  detached?: boolean;
}

export interface SlipwayResult {
  stdout: string;
  stderr: string;
  /** Null when a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

/** The command line that starts the command as users do, through its launcher. */
export function slipwayCommand(args: readonly string[]): string[] {
  return [process.execPath, LAUNCHER, ...args];
}

/** Starts the command as users do, through its launcher, and leaves the running process to the caller. */
export function startSlipway(args: readonly string[], options: SlipwayOptions): ChildProcess {
  return spawn(process.execPath, [LAUNCHER, ...args], {
    cwd: options.cwd ?? options.root,
    env: {
      ...process.env,
      SLIPWAY_ROOT: options.root,
      NO_COLOR: '1',
      SOURCE_DATE_EPOCH: undefined,
      ...options.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  });
}

/** Runs the command to its end. Never throws for an exit code: tests look at it. */
export async function runSlipway(args: readonly string[], options: SlipwayOptions): Promise<SlipwayResult> {
  const child = startSlipway(args, options);
  const { stdin } = child;
  // A command that does not read its input may be gone before all of it is written.
  stdin?.on('error', () => {});
  stdin?.end(options.input ?? '');
  return ended(child);
}

/** Collects the output of a started command and waits for its end. */
export async function ended(child: ChildProcess): Promise<SlipwayResult> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) =>
      resolve({
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
        exitCode,
        signal,
      }),
    );
  });
}

/** Runs a command that has to succeed and gives its standard output; else throws with everything it printed. */
export async function slipway(args: readonly string[], options: SlipwayOptions): Promise<string> {
  const result = await runSlipway(args, options);
  if (result.exitCode === 0) return result.stdout;
  const { exitCode, signal, stdout, stderr } = result;
  throw new Error(`slipway ${args.join(' ')}: exit code ${exitCode ?? signal}\n${stderr}${stdout}`);
}
