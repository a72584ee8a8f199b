import type { Duplex } from 'node:stream';
import { SlipwayError } from '../errors/index.ts';
import { explainStart } from './isolation/explain-start.ts';
import type { Isolation } from './isolation.ts';
import { ProtocolClient } from './protocol/client.ts';
import { PROTOCOL_VERSION } from './protocol/frames.ts';
import { endWorker, type SpawnedWorker, type SpawnOptions, spawnWorker } from './spawn-worker.ts';
import { PROTOCOL_FD, type WorkerInit, type WorkerReady } from './worker/init.ts';

export interface WorkerOptions
  extends Omit<WorkerInit, 'version' | 'tier' | 'userNamespace' | 'mark'>,
    SpawnOptions {}

/** The worker: the one process that touches layer directories, mounts and runs containers. */
export class WorkerProcess {
  readonly client: ProtocolClient;
  readonly ready: WorkerReady;
  readonly isolation: Isolation;
  readonly #spawned: SpawnedWorker;

  private constructor(spawned: SpawnedWorker, client: ProtocolClient, ready: WorkerReady) {
    this.client = client;
    this.ready = ready;
    this.isolation = spawned.isolation;
    this.#spawned = spawned;
  }

  /**
   * Starts the worker in its own mount and pid namespace (and user namespace for an ordinary user), or takes one that
   * was started so. The death of this process, however it comes, kills it and all its containers; its mounts vanish
   * with its namespace.
   *
   * Throws `unavailable` when a program is missing, `unsupported` when the kernel refuses the namespaces.
   */
  static async start(
    { env, inheritStdio, isolation: choice, ...init }: WorkerOptions,
    spawned = spawnWorker({ env, inheritStdio, isolation: choice }),
  ): Promise<WorkerProcess> {
    const { child, isolation, mark } = spawned;
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
      spawned.failed.then((error) => ({ error })),
      spawned.mapped.catch((error: unknown) => ({ error })),
    ]);
    if ('ready' in first) return new WorkerProcess(spawned, client, first.ready);
    spawned.kill();
    await spawned.ended;
    throw explainStart(first.error, spawned.stderr().trim(), isolation);
  }

  /** See `endWorker`. */
  async close(): Promise<void> {
    this.client.fail(new SlipwayError('canceled', 'the worker is being closed', { code: 'WORKER_CLOSED' }));
    await endWorker(this.#spawned);
  }

  /** Kills the worker and every process below it, now. Resolves when the kernel has taken it all away. */
  async kill(): Promise<void> {
    this.#spawned.kill();
    await this.#spawned.ended;
  }
}
