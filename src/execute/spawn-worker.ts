import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { ownScript } from '../sys/own-script.ts';
import { startIsolated } from './isolation/start-isolated.ts';
import { detectIsolation, type Isolation, type IsolationChoice } from './isolation.ts';
import { PROTOCOL_FD } from './worker/init.ts';

/**
 * A COPY of 200,000 files grows the young generation to 100 MB and more else, and is not faster for it. With most other
 * flags V8 would take none of the code that Node and the bundle keep for it: the worker would start 55 ms later.
 */
const WORKER_FLAGS = ['--max-semi-space-size=4'];

/** A worker that was told to end has only its own directory to remove: whoever takes longer hangs. */
const END_AFTER_MS = 5_000;

export interface SpawnOptions {
  env: NodeJS.ProcessEnv;
  /** `none` starts it without namespaces, as root of a container. Default `auto`. */
  isolation?: IsolationChoice | undefined;
  /**
   * Gives the worker the caller's standard streams, for archives on stdin or stdout and for `run`; without it
   * they are closed to it.
   */
  inheritStdio?: boolean | undefined;
}

/** A worker's process, before it is told what it is for. */
export interface SpawnedWorker {
  child: ChildProcess;
  isolation: Isolation;
  /** See `WorkerInit`. */
  mark: number;
  /** Rejects when ids cannot be mapped, and else says nothing. */
  mapped: Promise<never>;
  /** What it has said on standard error, at most the last 64 KiB. */
  stderr(): string;
  /** Resolves to the error when it could not be started. */
  failed: Promise<Error>;
  ended: Promise<void>;
  /** Kills it with all below it. Not before it has answered: unshare would leave what it has only just forked. */
  kill(): void;
}

/** Starts a worker in its namespaces; the death of this process, however it comes, kills it. Errors as `detectIsolation`. */
export function spawnWorker({ env, isolation: choice, inheritStdio = false }: SpawnOptions): SpawnedWorker {
  const isolation = detectIsolation(env, choice);
  const stream = inheritStdio ? 'inherit' : 'ignore';
  // Below 2^48, and nothing that anybody else would set.
  const mark = 2 ** 47 + randomInt(2 ** 40);
  const { child, mapped, kill } = startIsolated(isolation, {
    command: [process.execPath, ...WORKER_FLAGS, workerEntry()],
    stdio: [stream, stream, inheritStdio ? 'inherit' : 'pipe', 'pipe'],
    env: workerEnvironment(env),
    mark,
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-64 * 1024);
  });
  const failed = new Promise<Error>((resolve) => child.once('error', resolve));
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const refused = mapped.then(() => new Promise<never>(() => {}));
  // Whoever needs the worker hears of it.
  refused.catch(() => {});
  return { child, isolation, mark, mapped: refused, stderr: () => stderr, failed, ended, kill };
}

/** Asks a worker to end, which takes its mounts and containers with it, and waits until it is gone. */
export async function endWorker({ child, ended, kill }: SpawnedWorker): Promise<void> {
  (child.stdio[PROTOCOL_FD] as Duplex | undefined)?.destroy();
  const timer = setTimeout(kill, END_AFTER_MS);
  await ended;
  clearTimeout(timer);
}

/** Only what a program of the system needs; never the caller's secrets. */
function workerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = { PATH: env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' };
  for (const name of ['HOME', 'TMPDIR', 'LANG', 'NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE']) {
    if (env[name] !== undefined) kept[name] = env[name];
  }
  // The code that V8 keeps for this process; below it there is a folder for each set of flags.
  const cache = getCompileCacheDir();
  if (cache !== undefined) kept.NODE_COMPILE_CACHE ??= dirname(cache);
  return kept;
}

/** The worker's script: beside this module in the bundle, one folder down in sources and library output. */
function workerEntry(): string {
  return ownScript(import.meta.url, ['./worker.js', './worker/main.js', './worker/main.ts'], {
    what: 'the worker script',
    code: 'WORKER_SCRIPT_MISSING',
  });
}
