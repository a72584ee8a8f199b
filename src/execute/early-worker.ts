import { endWorker, type SpawnedWorker, type SpawnOptions, spawnWorker } from './spawn-worker.ts';

/**
 * A worker that is started before it is known what for, by a command that will need one: it is ready when the command
 * is, and not as much later as it takes to start.
 */
export class EarlyWorker {
  readonly #options: SpawnOptions;
  #spawned: SpawnedWorker | undefined;

  /** Errors as `spawnWorker`. */
  constructor(options: SpawnOptions) {
    this.#options = options;
    this.#spawned = spawnWorker(options);
  }

  /** Gives it away, if it is still there and was started as it is wanted. */
  take({ isolation, inheritStdio = false }: SpawnOptions): SpawnedWorker | undefined {
    const given = this.#options;
    if (isolation !== given.isolation || inheritStdio !== (given.inheritStdio ?? false)) return undefined;
    const spawned = this.#spawned;
    this.#spawned = undefined;
    return spawned;
  }

  /** Ends it, if nobody has taken it. */
  async discard(): Promise<void> {
    const spawned = this.#spawned;
    this.#spawned = undefined;
    if (spawned) await endWorker(spawned);
  }
}
