import { readFileSync } from 'node:fs';

/** Milliseconds after which a step is looked at; what ends earlier has had no time to fill much. */
const FIRST_LOOKS_MS = [15, 40, 100];
const LOOK_EVERY_MS = 100;

/** Of statm; every machine that Node 24 runs on has pages of at least this size. */
const PAGE_BYTES = 4096;

/** Measures what a process and all below it hold together. */
export interface MemoryWatch {
  /** Ends it; bytes at the peak, undefined when it could not be measured. */
  stop(): number | undefined;
}

/**
 * Watches the memory of a process tree by the process table: it needs no right and no cgroup, works the same with
 * every runtime, and leaves out the page cache, which would make every step that writes files look big. `pid` is as
 * this process's /proc counts.
 */
export function watchMemory(pid: number): MemoryWatch {
  let peak = 0;
  let looks = 0;
  let timer: NodeJS.Timeout;
  const look = (): void => {
    peak = Math.max(peak, treeMemory(pid));
    wait();
  };
  const wait = (): void => {
    const at = FIRST_LOOKS_MS[looks];
    const before = FIRST_LOOKS_MS[looks - 1] ?? 0;
    looks++;
    timer = setTimeout(look, at === undefined ? LOOK_EVERY_MS : at - before);
    timer.unref();
  };
  wait();
  return {
    stop: () => {
      clearTimeout(timer);
      return peak;
    },
  };
}

/** Bytes of memory that belong to nothing but one of the processes: shared libraries would be counted many times. */
function treeMemory(pid: number): number {
  let bytes = 0;
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    try {
      const [, resident, shared] = readFileSync(`/proc/${next}/statm`, 'latin1').split(' ');
      bytes += (Number(resident) - Number(shared)) * PAGE_BYTES;
      waiting.push(...childrenOf(next));
    } catch {
      // It has ended.
    }
  }
  return bytes;
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  return text.split(' ').filter(Boolean).map(Number);
}
