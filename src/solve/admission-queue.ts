/** What a step asks of the machine. */
export interface SlotRequest {
  /** The highest goes first. */
  priority: number;
  /** Bytes of memory that it is expected to need at its peak. */
  memory: number;
}

/** What the running steps are expected to need together. */
export class Ledger {
  readonly #budget: number;
  #running = 0;
  #used = 0;

  /** `budget` in bytes. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /**
   * True when so much more fits. Where nothing runs everything does, so that a budget that is too small slows a build
   * down and never stops it.
   */
  fits(memory: number): boolean {
    return this.#running === 0 || this.#used + memory <= this.#budget;
  }

  take(memory: number): void {
    this.#running++;
    this.#used += memory;
  }

  free(memory: number): void {
    this.#running--;
    this.#used -= memory;
  }
}

/** A request as p-queue hands it on. */
type QueueOptions = { readonly [K in keyof SlotRequest]?: SlotRequest[K] | undefined } & {
  readonly id?: string | undefined;
};

type Work = () => Promise<unknown>;

/** What p-queue asks of a queue. */
export interface AdmissionQueue {
  readonly size: number;
  filter(options: QueueOptions): Work[];
  dequeue(): Work | undefined;
  enqueue(work: Work, options?: QueueOptions): void;
  setPriority(id: string, priority: number): void;
  remove(id: string): void;
}

interface Waiting extends SlotRequest {
  work: Work;
  id: string | undefined;
}

/**
 * A class of queues for p-queue, which makes its queue itself. The first to go is the one with the highest priority
 * whose memory fits beside those that run.
 */
export function admissionQueue(ledger: Ledger): new () => AdmissionQueue {
  return class {
    readonly #waiting: Waiting[] = [];

    /** Zero when none of them may start now: p-queue then asks again when a task ends. */
    get size(): number {
      return this.#next() < 0 ? 0 : this.#waiting.length;
    }

    enqueue(work: Work, options: QueueOptions = {}): void {
      const { priority = 0, memory = 0, id } = options;
      const behind = this.#waiting.findIndex((other) => other.priority < priority);
      const place = behind < 0 ? this.#waiting.length : behind;
      this.#waiting.splice(place, 0, { work, priority, memory, id });
    }

    dequeue(): Work | undefined {
      const index = this.#next();
      if (index < 0) return undefined;
      const { work, memory } = this.#waiting.splice(index, 1)[0]!;
      ledger.take(memory);
      return work;
    }

    filter({ priority }: QueueOptions): Work[] {
      return this.#waiting.filter((waiting) => waiting.priority === priority).map(({ work }) => work);
    }

    setPriority(id: string, priority: number): void {
      const index = this.#waiting.findIndex((waiting) => waiting.id === id);
      if (index < 0) return;
      const { work, memory } = this.#waiting.splice(index, 1)[0]!;
      this.enqueue(work, { priority, memory, id });
    }

    remove(id: string): void {
      const index = this.#waiting.findIndex((waiting) => waiting.id === id);
      if (index >= 0) this.#waiting.splice(index, 1);
    }

    #next(): number {
      return this.#waiting.findIndex(({ memory }) => ledger.fits(memory));
    }
  };
}
