import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadSys } from '../../sys/linux.ts';

const POLL_MS = 50;

/** Does work that one process at a time may do. The lock is the kernel's: it ends with whoever holds it. */
export async function withFileLock<Result>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  const fd = openSync(path, 'a', 0o644);
  try {
    while (!loadSys().flock(fd, 'exclusive', { nonBlocking: true }))
      await sleep(POLL_MS, undefined, { signal });
    return await work();
  } finally {
    closeSync(fd);
  }
}
