import { setImmediate as nextTurn } from 'node:timers/promises';
import type PQueue from 'p-queue';
import { type AdmissionQueue, admissionQueue, Ledger, type SlotRequest } from './admission-queue.ts';

export interface SlotLimits {
  /** Steps at the same time. */
  jobs: number;
  /** Bytes that the expectations of all running steps may add up to; undefined is no limit. */
  memoryBudget?: number | undefined;
}

/** The places where steps run (DESIGN, decision 10): a queue that is ordered by priority and admits by memory. */
export class Slots {
  readonly #jobs: number;
  readonly #ledger: Ledger;
  #queue: Promise<PQueue<AdmissionQueue, SlotRequest>> | undefined;

  constructor({ jobs, memoryBudget }: SlotLimits) {
    this.#jobs = jobs;
    this.#ledger = new Ledger(memoryBudget ?? Number.POSITIVE_INFINITY);
  }

  /** Does `work` in a slot, once it is its turn. Errors as `work`. */
  async run<Result>(request: SlotRequest, work: () => Promise<Result>): Promise<Result> {
    this.#queue ??= this.#open();
    const queue = await this.#queue;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const task = async (): Promise<void> => {
      await work().then(resolve, reject);
      // What this step has made ready takes part when the slot is given on: it may be the longest path.
      await nextTurn();
      this.#ledger.free(request.memory);
    };
    queue.add(task, { ...request }).catch(reject);
    return promise;
  }

  /** A build that runs nothing does not load the queue. All that is ready at the start is there before it begins. */
  async #open(): Promise<PQueue<AdmissionQueue, SlotRequest>> {
    const { default: Queue } = await import('p-queue');
    const queueClass = admissionQueue(this.#ledger);
    const queue = new Queue({ concurrency: this.#jobs, queueClass, autoStart: false });
    setImmediate(() => queue.start());
    return queue;
  }
}
