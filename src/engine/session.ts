import { rmSync } from 'node:fs';
import type { WorkerProcess, WorkerOptions } from '../execute/worker-process.ts';
import { collectGarbage, forgetGarbage } from '../store/garbage.ts';
import { activePath } from '../store/layout.ts';
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

  /** Ends worker and lease. `kill` does not wait for what the worker is at; garbage is left to the next session. */
  async close(options: { kill?: boolean } = {}): Promise<void> {
    const { store } = this.#options;
    const worker = await this.#worker?.catch(() => undefined);
    if (worker && options.kill) {
      await worker.kill();
      // The worker could not do it any more; without root some files are not ours to delete, and are found later.
      try {
        rmSync(activePath(store.root, this.lease(), 'worker'), { recursive: true, force: true });
      } catch {}
    }
    if (this.#lease !== undefined) endLease(store, this.#lease);
    if (!worker || options.kill) return;
    try {
      await this.#collect(worker);
    } finally {
      await worker.close();
    }
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

  /** Deletes what nobody needs any more: this session's twins and failures, and what dead processes left. */
  async #collect(worker: WorkerProcess): Promise<void> {
    const { store } = this.#options;
    const garbage = collectGarbage(store);
    if (garbage.layers.length === 0 && garbage.strays.length === 0) return;
    await worker.client.call('delete-garbage', garbage);
    forgetGarbage(store, garbage.layers);
  }
}
