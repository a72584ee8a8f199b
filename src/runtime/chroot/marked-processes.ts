import { readdirSync, readFileSync } from 'node:fs';

/**
 * What tells the processes of a container from others where they have no pid namespace: limits on file locks, which
 * Linux has not enforced since 2.4.25, are inherited by all that a process starts, and can be read of any process.
 */
export interface Mark {
  /** Of one container: the soft limit. */
  container: number;
  /** Of all containers of a worker: the hard limit. */
  worker: number;
}

const ROUNDS = 200;
const PAUSE_MS = 5;

/** Kills what is left of a container, until nothing is. */
export function killMarked(mark: Mark): void {
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < ROUNDS; round++) {
    const left = marked(mark);
    if (left.length === 0) return;
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    Atomics.wait(sleep, 0, 0, PAUSE_MS);
  }
}

function marked({ container, worker }: Mark): number[] {
  const line = new RegExp(`^Max file locks\\s+${container}\\s+${worker}\\s`, 'm');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter(
      (pid) => line.test(read(`/proc/${pid}/limits`)) && !/^\d+ \(.*\) Z/s.test(read(`/proc/${pid}/stat`)),
    )
    .map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
