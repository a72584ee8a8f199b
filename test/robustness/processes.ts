import { readFileSync } from 'node:fs';

/** Process ids of the children of `pid`, as the kernel lists them now. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** The processes under a front: the one that waits in the middle, and the worker itself once it has begun. */
export function workerOf(front: number): { middle: number; worker: number } | undefined {
  for (const middle of childrenOf(front)) {
    for (const worker of childrenOf(middle)) {
      if (/worker(\/main)?\.[jt]s/.test(commandOf(worker))) return { middle, worker };
    }
  }
  return undefined;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
