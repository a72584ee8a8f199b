import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { OrdinaryUser } from '../rootless/ordinary-user.ts';

const PROJECT = join(import.meta.dirname, '../..');
const BUNDLE = join(PROJECT, 'dist/cli/main.js');

/** The built command, which starts several times as fast; where nothing is built, its sources. */
export const ENTRY = existsSync(BUNDLE) ? BUNDLE : join(PROJECT, 'src/cli/main.ts');

/** With it, layers and configurations are the same whenever and wherever they are made. */
export const EPOCH = '1700000000';

export interface CommandOptions {
  /** The store. */
  root: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  input?: string | Buffer;
  stdio?: SpawnOptions['stdio'];
  /** Who runs it; without, the user of the tests. */
  user?: Pick<OrdinaryUser, 'start'> | undefined;
}

export interface CommandResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Starts the command; in a process group of its own. */
export function startCommand(args: readonly string[], options: CommandOptions): ChildProcess {
  if (options.user !== undefined) {
    const env = { SOURCE_DATE_EPOCH: EPOCH, SLIPWAY_ROOT: options.root };
    return options.user.start(args, { env, cwd: options.cwd ?? '/' });
  }
  return spawn(process.execPath, [ENTRY, ...args], {
    cwd: options.cwd ?? '/',
    env: {
      ...process.env,
      NO_COLOR: '1',
      SOURCE_DATE_EPOCH: EPOCH,
      SLIPWAY_ROOT: options.root,
      ...options.env,
    },
    stdio: options.stdio ?? ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
}

/** Whatever is done here takes seconds: a command that takes longer hangs, and is ended with all it has started. */
const HANGS_MS = 30_000;

/** Collects the output of a started command until it ends. */
export function resultOf(child: ChildProcess): Promise<CommandResult> {
  const timer = setTimeout(() => child.kill('SIGKILL'), HANGS_MS);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      clearTimeout(timer);
      resolve({ exitCode, signal, stdout, stderr });
    });
  });
}

/** Runs the command to its end, whatever that is. */
export function command(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const child = startCommand(args, options);
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  return resultOf(child);
}

/** Runs a command that has to succeed; gives its standard output. */
export async function succeed(args: readonly string[], options: CommandOptions): Promise<string> {
  const result = await command(args, options);
  if (result.exitCode === 0) return result.stdout;
  throw new Error(`slipway ${args.join(' ')}: ${result.exitCode ?? result.signal}\n${result.stderr}`);
}
