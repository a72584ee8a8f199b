import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../errors/index.ts';

/** Nobody is made to wait longer than this because a server says so. */
const LONGEST_MS = 30_000;

/**
 * Milliseconds to wait after attempt number `attempt` (from 1): doubled each time, spread by a quarter so that many
 * builds do not come back at once, and as long as the server asks for in `Retry-After` (seconds or a date), up to 30 s.
 */
export function retryDelay(attempt: number, firstMs: number, retryAfter?: string): number {
  const own = firstMs * 2 ** (attempt - 1) * (0.875 + Math.random() / 4);
  if (retryAfter === undefined) return own;
  const asked = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(asked) ? Math.min(LONGEST_MS, Math.max(own, asked)) : own;
}

/** Waits; throws `canceled` when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause });
  }
}
