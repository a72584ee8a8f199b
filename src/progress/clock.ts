import { monotonicMs } from '../sys/monotonic.ts';

/** Where displays take the time from; tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back every `ms` milliseconds without keeping the process alive; the result stops it. */
  every(ms: number, call: () => void): () => void;
}

const BEGAN_MS = Date.now() - monotonicMs();

/** The machine's clock; one that is set meanwhile changes nothing. */
export const systemClock: Clock = {
  now: () => BEGAN_MS + monotonicMs(),
  every(ms, call) {
    const timer = setInterval(call, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** What a display writes to: a part of a stream. Sizes are undefined where it is no terminal. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  rows?: number | undefined;
  /** Of Node's terminals: asks the kernel for the size, which is else looked at when SIGWINCH has come through. */
  _refreshSize?(): void;
}
