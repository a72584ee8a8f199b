import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors/index.ts';
import { nearCgroups, readHierarchies } from './cgroup-hierarchies.ts';

/** The cgroup, in every hierarchy, under which the OCI runtimes put the containers of a worker, by its lease. */
export function cgroupParent(lease: string): string {
  return `slipway-${lease}`;
}

/**
 * Removes a worker's cgroups from all hierarchies: a runtime that was killed with its worker leaves them behind, and
 * they outlive every process. False while processes are still dying in one. Where nothing may be removed there is
 * nothing that was made.
 */
export function removeCgroups(parent: string): boolean {
  return readHierarchies()
    .flatMap(nearCgroups)
    .every((path) => removeCgroup(join(path, parent)));
}

/** Children first. The files in a cgroup's directory are no obstacle. */
function removeCgroup(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeCgroup(join(path, entry.name))) return false;
    }
    rmdirSync(path);
  } catch (error) {
    return !isErrno(error, 'EBUSY');
  }
  return true;
}
