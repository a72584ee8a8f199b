import type { WorkerOptions, WorkerProcess } from '../execute/worker-process.ts';
import { deleteGarbage } from '../store/collect.ts';
import { collectGarbage, forgetGarbage, type Garbage } from '../store/garbage.ts';
import { endLease, startLease } from '../store/leases.ts';
import type { Store } from '../store/store.ts';

export interface SessionOptions {
  store: Store;
  env: NodeJS.ProcessEnv;
  runtime: WorkerOptions['runtime'];
  inheritStdio?: boolean;
  /** Called once when the lease exists, before anything is written under it. */
  onLease?: () => void;
}

/**
 * A command's use of a store: a lease and a worker, both started when first needed, so that a cached build pays
 * for neither. `close` ends them; whoever opens a session closes it, also after an error.
 */
export class StoreSession {
  readonly #options: SessionOptions;
  #lease: string | undefined;
  #worker: Promise<WorkerProcess> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** The lease under which this process writes and holds. */
  lease(): string {
    if (this.#lease === undefined) {
      this.#lease = startLease(this.#options.store);
      this.#options.onLease?.();
    }
    return this.#lease;
  }

  worker(): Promise<WorkerProcess> {
    this.#worker ??= this.#start();
    return this.#worker;
  }

  /**
   * Ends worker and lease, and deletes what nobody needs any more: twins and failures of this session, and what dead
   * processes left. `kill` does not wait for what the worker is at.
   */
  async close(options: { kill?: boolean } = {}): Promise<void> {
    const { store } = this.#options;
    const worker = await this.#worker?.catch(() => undefined);
    if (worker && options.kill) await worker.kill();
    if (this.#lease !== undefined) endLease(store, this.#lease);
    if (!worker) return;
    const garbage = collectGarbage(store);
    if (options.kill) this.#deleteAfterKill(garbage);
    else await this.#deleteByWorker(worker, garbage);
  }

  async #start(): Promise<WorkerProcess> {
    const { WorkerProcess } = await import('../execute/worker-process.ts');
    const { store, env, runtime, inheritStdio } = this.#options;
    return WorkerProcess.start({
      store: store.root,
      lease: this.lease(),
      env,
      runtime,
      ...(inheritStdio === undefined ? {} : { inheritStdio }),
    });
  }

  async #deleteByWorker(worker: WorkerProcess, garbage: Garbage): Promise<void> {
    try {
      if (garbage.layers.length === 0 && garbage.strays.length === 0) return;
      await worker.client.call('delete-garbage', garbage);
      forgetGarbage(this.#options.store, garbage.layers);
    } finally {
      await worker.close();
    }
  }

  /**
   * The worker is gone, so this process tries. Without root some files belong to mapped ids and stay; they are marked
   * and the next session's worker deletes them.
   */
  #deleteAfterKill(garbage: Garbage): void {
    const { store } = this.#options;
    try {
      deleteGarbage(store.root, garbage);
      forgetGarbage(store, garbage.layers);
    } catch {}
  }
}
