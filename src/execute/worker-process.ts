import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { SlipwayError } from '../errors/index.ts';
import { ownScript } from '../sys/own-script.ts';
import { explainStart } from './isolation/explain-start.ts';
import { startIsolated } from './isolation/start-isolated.ts';
import { detectIsolation, type Isolation, type IsolationChoice } from './isolation.ts';
import { ProtocolClient } from './protocol/client.ts';
import { PROTOCOL_VERSION } from './protocol/frames.ts';
import { PROTOCOL_FD, type WorkerInit, type WorkerReady } from './worker/init.ts';

/** A worker that was told to end has only its own directory to remove: whoever takes longer hangs. */
const END_AFTER_MS = 5_000;

/**
 * A COPY of 200,000 files grows the young generation to 100 MB and more else, and is not faster for it. With most other
 * flags V8 would take none of the code that Node and the bundle keep for it: the worker would start 55 ms later.
 */
const WORKER_FLAGS = ['--max-semi-space-size=4'];

export interface WorkerOptions extends Omit<WorkerInit, 'version' | 'tier' | 'userNamespace' | 'mark'> {
  env: NodeJS.ProcessEnv;
  /** `none` starts it without namespaces, as root of a container. Default `auto`. */
  isolation?: IsolationChoice;
  /**
   * Gives the worker the caller's standard streams, for archives on stdin or stdout and for `run`; without it
   * they are closed to it.
   */
  inheritStdio?: boolean;
}

interface Started {
  /** Kills it with all below it. */
  kill: () => void;
  client: ProtocolClient;
  ready: WorkerReady;
  isolation: Isolation;
  ended: Promise<void>;
}

/** The worker: the one process that touches layer directories, mounts and runs containers. */
export class WorkerProcess {
  readonly client: ProtocolClient;
  readonly ready: WorkerReady;
  readonly isolation: Isolation;
  readonly #child: ChildProcess;
  readonly #kill: () => void;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, started: Started) {
    this.#child = child;
    this.#kill = started.kill;
    this.client = started.client;
    this.ready = started.ready;
    this.isolation = started.isolation;
    this.#ended = started.ended;
  }

  /**
   * Starts the worker in its own mount and pid namespace (and user namespace for an ordinary user). The death of
   * this process, however it comes, kills it and all its containers; its mounts vanish with its namespace.
   *
   * Throws `unavailable` when a program is missing, `unsupported` when the kernel refuses the namespaces.
   */
  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const { env, inheritStdio, isolation: choice, ...init } = options;
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
    const spawnError = new Promise<Error>((resolve) => child.once('error', resolve));
    const ended = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
    const client = new ProtocolClient(child.stdio[PROTOCOL_FD] as Duplex);
    const hello = client.call<WorkerReady>('init', {
      ...init,
      version: PROTOCOL_VERSION,
      tier: isolation.tier,
      userNamespace: isolation.userNamespace,
      mark,
    } satisfies WorkerInit);
    const first = await Promise.race([
      hello.then(
        (ready) => ({ ready }),
        (error: unknown) => ({ error }),
      ),
      spawnError.then((error) => ({ error })),
      mapped.then(
        () => new Promise<never>(() => {}),
        (error: unknown) => ({ error }),
      ),
    ]);
    if ('ready' in first)
      return new WorkerProcess(child, { client, kill, ready: first.ready, ended, isolation });
    kill();
    await ended;
    throw explainStart(first.error, stderr.trim(), isolation);
  }

  /** Asks the worker to end, which takes its mounts and containers with it, and waits until it is gone. */
  async close(): Promise<void> {
    this.client.fail(new SlipwayError('canceled', 'the worker is being closed', { code: 'WORKER_CLOSED' }));
    (this.#child.stdio[PROTOCOL_FD] as Duplex).destroy();
    const timer = setTimeout(this.#kill, END_AFTER_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Kills the worker and every process below it, now. Resolves when the kernel has taken it all away. */
  async kill(): Promise<void> {
    this.#kill();
    await this.#ended;
  }
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
