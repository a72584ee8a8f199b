import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { SlipwayError } from '../errors/index.ts';
import { detectIsolation } from './isolation.ts';
import { ProtocolClient } from './protocol/client.ts';
import { PROTOCOL_VERSION } from './protocol/frames.ts';
import type { WorkerInit, WorkerReady } from './worker/init.ts';

/** File descriptor of the protocol's socket in the worker. */
export const PROTOCOL_FD = 3;

export interface WorkerOptions extends Omit<WorkerInit, 'version' | 'userNamespace'> {
  env: NodeJS.ProcessEnv;
  /**
   * Gives the worker the caller's standard streams, for archives on stdin or stdout and for `run`; without it
   * they are closed to it.
   */
  inheritStdio?: boolean;
}

/** The worker: the one process that touches layer directories, mounts and runs containers. */
export class WorkerProcess {
  readonly client: ProtocolClient;
  readonly ready: WorkerReady;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, client: ProtocolClient, ready: WorkerReady, ended: Promise<void>) {
    this.#child = child;
    this.client = client;
    this.ready = ready;
    this.#ended = ended;
  }

  /**
   * Starts the worker in its own mount and pid namespace (and user namespace for an ordinary user). The death of
   * this process, however it comes, kills it and all its containers; its mounts vanish with its namespace.
   *
   * Throws `unavailable` when a program is missing, `unsupported` when the kernel refuses the namespaces.
   */
  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const { env, inheritStdio, ...init } = options;
    const isolation = detectIsolation(env);
    const [program, ...prefix] = isolation.prefix as [string, ...string[]];
    const stream = inheritStdio ? 'inherit' : 'ignore';
    const stdio: StdioOptions = [stream, stream, inheritStdio ? 'inherit' : 'pipe', 'pipe'];
    // A session of its own: Ctrl-C in the terminal reaches the front alone, which then decides.
    const child = spawn(program, [...prefix, process.execPath, workerEntry()], {
      stdio,
      env: workerEnvironment(env),
      detached: true,
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
      userNamespace: isolation.tier !== 'root',
    } satisfies WorkerInit);
    const first = await Promise.race([
      hello.then(
        (ready) => ({ ready }),
        (error: unknown) => ({ error }),
      ),
      spawnError.then((error) => ({ error })),
    ]);
    if ('ready' in first) return new WorkerProcess(child, client, first.ready, ended);
    child.kill('SIGKILL');
    await ended;
    throw explainStart(first.error, stderr.trim(), isolation.tier);
  }

  /** Asks the worker to end, which takes its mounts and containers with it, and waits until it is gone. */
  async close(): Promise<void> {
    this.client.fail(new SlipwayError('canceled', 'the worker is being closed', { code: 'WORKER_CLOSED' }));
    (this.#child.stdio[PROTOCOL_FD] as Duplex).destroy();
    await this.#ended;
  }

  /** Kills the worker and every process below it, now. Resolves when the kernel has taken it all away. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Only what a program of the system needs; never the caller's secrets. */
function workerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = { PATH: env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' };
  for (const name of ['HOME', 'TMPDIR', 'LANG', 'NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE']) {
    if (env[name] !== undefined) kept[name] = env[name];
  }
  return kept;
}

/** The worker's script: beside this module in the bundle, one folder down in sources and library output. */
function workerEntry(): string {
  for (const name of ['./worker.js', './worker/main.js', './worker/main.ts']) {
    const path = fileURLToPath(new URL(name, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new SlipwayError('internal', 'the worker script is missing from this installation', {
    code: 'WORKER_SCRIPT_MISSING',
    hint: 'Run npm run build.',
  });
}

function explainStart(error: unknown, stderr: string, tier: string): SlipwayError {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
    return new SlipwayError('unavailable', 'setpriv and unshare are needed and not found', {
      code: 'UTIL_LINUX_MISSING',
      hint: 'Install the package util-linux.',
      cause: error,
    });
  }
  if (/unshare|setpriv|newuidmap|newgidmap/.test(stderr)) {
    return new SlipwayError('unsupported', `this system does not let the build be isolated: ${stderr}`, {
      code: 'NAMESPACES_REFUSED',
      hint:
        tier === 'root'
          ? 'Root without CAP_SYS_ADMIN (a container?) cannot make namespaces.'
          : 'User namespaces may be switched off: see kernel.unprivileged_userns_clone, user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns.',
      cause: error,
    });
  }
  if (error instanceof SlipwayError && error.code !== 'WORKER_LOST') return error;
  return new SlipwayError('internal', `the worker did not start: ${stderr || String(error)}`, {
    code: 'WORKER_START',
    cause: error,
  });
}
