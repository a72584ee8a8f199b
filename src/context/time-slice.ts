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
}

export function startTimeSlice(signal: AbortSignal | undefined): TimeSlice {
  let end = monotonicMs() + SLICE_MS;
  return {
    due: () => monotonicMs() >= end,
    async pause() {
      await setImmediate();
      if (signal?.aborted)
        throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause: signal.reason });
      end = monotonicMs() + SLICE_MS;
    },
  };
}
