import { setImmediate } from 'node:timers/promises';
import { SlipwayError } from '../errors/index.ts';
import { monotonicMs } from '../sys/monotonic.ts';

/** How long a synchronous loop may keep the process from seeing a signal. */
const SLICE_MS = 25;

/**
 * For hot synchronous loops: `due()` says every {@link SLICE_MS} that the loop must `await pause()`, in which
 * signals, timers and other steps get their turn.
 */
export interface TimeSlice {
  due(): boolean;
  /** @throws SlipwayError `canceled` when the caller asked to stop */
  pause(): Promise<void>;
  /** Waits for what somebody else does, as long as the caller does not ask to stop. @throws as `pause` */
  wait<T>(what: Promise<T>): Promise<T>;
}

export function startTimeSlice(signal: AbortSignal | undefined): TimeSlice {
  let end = monotonicMs() + SLICE_MS;
  const canceled = (): SlipwayError =>
    new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause: signal?.reason });
  return {
    due: () => monotonicMs() >= end,
    async pause() {
      await setImmediate();
      if (signal?.aborted) throw canceled();
      end = monotonicMs() + SLICE_MS;
    },
    async wait(what) {
      if (signal === undefined) return what;
      const { promise: stopped, reject } = Promise.withResolvers<never>();
      const stop = (): void => reject(canceled());
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      try {
        return await Promise.race([what, stopped]);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
  };
}
