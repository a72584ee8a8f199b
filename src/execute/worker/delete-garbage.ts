import { cgroupParent, removeCgroups } from '../../runtime/cgroup-parent.ts';
import { deleteGarbage } from '../../store/collect.ts';
import type { Garbage } from '../../store/garbage.ts';
import { ownerOf } from '../../store/layout.ts';
import type { WorkerHost } from './host.ts';

export interface DeleteRequest {
  garbage: Garbage;
  /** Milliseconds after which to stop: somebody waits for the command to end. */
  limitMs?: number | undefined;
}

export interface DeleteResult {
  /** False when the time was up first; what is left is found again. */
  finished: boolean;
}

/** Deletes layer directories and strays, in bounded time where that is asked for. */
export function removeGarbage({ store }: WorkerHost, { garbage, limitMs }: DeleteRequest): DeleteResult {
  const end = limitMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + limitMs;
  let finished = true;
  const aborted = (): boolean => {
    if (performance.now() > end) finished = false;
    return !finished;
  };
  const strays = garbage.strays.filter(hasNoCgroups);
  deleteGarbage(store, { ...garbage, strays }, { aborted });
  return { finished };
}

/** The directory of a dead worker goes after its cgroups: there is nothing else to find those by. */
function hasNoCgroups(stray: string): boolean {
  const lease = stray.startsWith('active/') ? ownerOf(stray.slice('active/'.length)) : undefined;
  return lease === undefined || removeCgroups(cgroupParent(lease));
}
