import type { Arrived, BlobQuestion } from '../../export/pull-layers.ts';

/** The worker is woken for no less than this, until the end. */
const LEAST = 256 << 10;

interface Waiting {
  question: BlobQuestion;
  resolve: (arrived: Arrived) => void;
  reject: (error: unknown) => void;
}

/** A blob that is being fetched, and whoever waits for more of it. */
export class ArrivingBlob {
  #state: Arrived = { bytes: 0, complete: false, generation: 0 };
  #failure: { error: unknown } | undefined;
  #waiting: Waiting[] = [];

  /** So many bytes of its file are there; fewer than before: it begins anew. */
  arrived(bytes: number): void {
    const generation = this.#state.generation + (bytes < this.#state.bytes ? 1 : 0);
    this.#state = { bytes, complete: false, generation };
    this.#wake();
  }

  /** All of it is there, and verified. */
  complete(): void {
    this.#state = { ...this.#state, complete: true };
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** As `AwaitBlob`. */
  next(question: BlobQuestion): Promise<Arrived> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      this.#wake();
    });
  }

  #wake(): void {
    const { bytes, complete, generation } = this.#state;
    const ready = ({ question }: Waiting): boolean =>
      complete || generation !== question.generation || bytes - question.from >= LEAST;
    const woken = this.#waiting.filter(ready);
    if (woken.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !woken.includes(one));
    for (const { resolve } of woken) resolve(this.#state);
  }
}
