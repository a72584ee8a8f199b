import { SlipwayError } from '../errors/index.ts';
import type { EarlyWorker } from '../execute/early-worker.ts';
import type { IsolationChoice } from '../execute/isolation.ts';
import type { DeleteResult } from '../execute/worker/delete-garbage.ts';
import type { WorkerOptions, WorkerProcess } from '../execute/worker-process.ts';
import { deleteGarbage } from '../store/collect.ts';
import { collectGarbage, forgetGarbage, forgetUnmade, type Garbage } from '../store/garbage.ts';
import { pendingLayers } from '../store/layers.ts';
import { endLease, startLease } from '../store/leases.ts';
import type { Store } from '../store/store.ts';

/** A second is what a user waits after Ctrl-C; the rest of it is for cleaning up. */
const KILL_AFTER_MS = 600;
const DELETE_AFTER_ABORT_MS = 200;

export interface SessionOptions {
  store: Store;
  env: NodeJS.ProcessEnv;
  runtime: WorkerOptions['runtime'];
  isolation?: IsolationChoice | undefined;
  inheritStdio?: boolean;
  /** Taken in place of one that would have to be started. */
  early?: EarlyWorker | undefined;
  /** Called once when the lease exists, before anything is written under it. */
  onLease?: () => void;
}

/**
 * A command's use of a store: a lease and a worker, both started when first needed, so that a cached build pays
 * for neither. `close` ends them; whoever opens a session closes it, also after an error.
 */
export class StoreSession {
  readonly #options: SessionOptions;
  #killed = false;
  #deleteMs: number | undefined;
  #aborted = false;
  #lease: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #disarm: () => void = () => {};
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

  /** Deleting at the end takes at most so many milliseconds; what is left the next session finds. */
  limitDeletion(ms: number): void {
    this.#deleteMs = ms;
  }

  worker(): Promise<WorkerProcess> {
    this.#worker ??= this.#start();
    return this.#worker;
  }

  /**
   * Kills the worker `KILL_AFTER_MS` after `signal` aborts, unless the session is closed by then: containers and
   * copies end well when they are canceled, and what does not listen must not hold the user up.
   */
  killAfterAbort(signal: AbortSignal): void {
    const arm = (): void => {
      this.#aborted = true;
      this.#timer = setTimeout(() => {
        this.#killed = true;
        void this.#worker?.then((worker) => worker.kill()).catch(() => {});
      }, KILL_AFTER_MS);
    };
    if (signal.aborted) arm();
    else signal.addEventListener('abort', arm, { once: true });
    this.#disarm = () => {
      signal.removeEventListener('abort', arm);
      clearTimeout(this.#timer);
    };
  }

  /**
   * Ends worker and lease, and deletes what nobody needs any more: twins and failures of this session, and what dead
   * processes left.
   */
  async close(): Promise<void> {
    this.#disarm();
    const worker = await this.#worker?.catch(() => undefined);
    try {
      const garbage = await this.#endLease(worker);
      if (worker && garbage) await this.#deleteGarbage(worker, garbage);
    } catch {
      // The result of the command counts, not the clean-up: what is left belongs to a dead process soon, and the next
      // session goes on.
    } finally {
      await worker?.close();
    }
  }

  /** Gives back what hangs on the lease; what is garbage now, where there is a worker to delete it. */
  async #endLease(worker: WorkerProcess | undefined): Promise<Garbage | undefined> {
    const { store } = this.#options;
    const lease = this.#lease;
    const end = (): Garbage | undefined => {
      if (lease !== undefined) {
        endLease(store, lease);
        // A terminal's Ctrl-C ends a worker that is only starting.
        if (worker === undefined) forgetUnmade(store);
      }
      return worker && collectGarbage(store);
    };
    try {
      return end();
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.kind !== 'exhausted' || lease === undefined) throw error;
      // Not even that can be written down: what this session has begun makes room, and nobody else knows of it.
      if (worker) await this.#deleteGarbage(worker, { layers: pendingLayers(store, lease), strays: [] });
      return end();
    }
  }

  async #start(): Promise<WorkerProcess> {
    const { WorkerProcess } = await import('../execute/worker-process.ts');
    const { store, env, runtime, isolation, inheritStdio, early } = this.#options;
    const spawn = { env, isolation, inheritStdio };
    return WorkerProcess.start(
      { store: store.root, lease: this.lease(), runtime, ...spawn },
      early?.take(spawn),
    );
  }

  async #deleteGarbage(worker: WorkerProcess, garbage: Garbage): Promise<void> {
    if (garbage.layers.length === 0 && garbage.strays.length === 0) return;
    if (this.#killed) {
      this.#deleteAfterKill(garbage);
      return;
    }
    const limitMs = this.#aborted ? DELETE_AFTER_ABORT_MS : this.#deleteMs;
    const { finished } = await worker.client.call<DeleteResult>('delete-garbage', { garbage, limitMs });
    if (finished) forgetGarbage(this.#options.store, garbage.layers);
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
