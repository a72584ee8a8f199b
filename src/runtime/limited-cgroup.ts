import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isErrno } from '../errors/index.ts';
import { type Hierarchy, nearCgroups, readHierarchies } from './cgroup-hierarchies.ts';
import type { CgroupRequest, ResourceLimits } from './resources.ts';

/** A cgroup, in as many hierarchies as it takes, in which limits hold. */
export interface LimitedCgroup {
  /** Files of cgroup.procs: a process that writes 0 to each of them is in. */
  procs: string[];
  /** What could not be limited, in Docker's words. */
  warnings: string[];
  /** Removes it once its last process is gone. */
  remove(): Promise<void>;
}

type Controller = 'memory' | 'cpu' | 'cpuset';

/** A value for one file of a controller, by the version of the hierarchy. */
interface Setting {
  controller: Controller;
  v1: [file: string, value: string];
  v2: [file: string, value: string];
  /** What is said when it cannot be had. */
  lost: string;
}

/** How long the kernel may take to let go of a cgroup whose processes are dead, in tries of 5 ms. */
const REMOVE_TRIES = 40;

/**
 * Makes a cgroup with these limits: below `parent`, else beside the cgroup of this process or as near to it as this
 * process may, so that limits from outside go on holding. A limit whose controller is not there or may not be used
 * becomes a warning, as in Docker.
 */
export function makeLimitedCgroup({ limits, parent, name }: CgroupRequest): LimitedCgroup {
  const hierarchies = readHierarchies();
  const settings = settingsOf(limits);
  const made = new Map<Hierarchy, string>();
  const warnings = new Set<string>();
  const enter = (hierarchy: Hierarchy, controller: Controller | undefined): string | undefined => {
    const known = made.get(hierarchy);
    if (known !== undefined) return known;
    const path = createIn(hierarchy, { parent, name, controller });
    if (path !== undefined) made.set(hierarchy, path);
    return path;
  };
  for (const setting of settings) {
    const hierarchy = hierarchies.find(({ controllers }) => controllers.includes(setting.controller));
    const path = hierarchy && enter(hierarchy, setting.controller);
    const [file, value] = hierarchy?.unified ? setting.v2 : setting.v1;
    if (path === undefined || !write(join(path, file), value)) warnings.add(setting.lost);
  }
  if (parent !== undefined) for (const hierarchy of hierarchies) enter(hierarchy, undefined);
  if (parent !== undefined && made.size === 0) {
    warnings.add('The cgroup parent cannot be used: no cgroup may be made below it. It was discarded.');
  }
  const paths = [...made.values()];
  return {
    procs: paths.map((path) => join(path, 'cgroup.procs')),
    warnings: [...warnings],
    remove: async () => {
      for (const path of paths) await removeWhenEmpty(path, dirname(path));
    },
  };
}

/**
 * Removes the cgroup above a container's own, in every hierarchy, once it is empty: for a container whose runtime
 * removes but its own.
 */
export function removeCgroupParent({ parent, name }: CgroupRequest): void {
  if (parent === undefined) return;
  for (const hierarchy of readHierarchies()) {
    for (const base of basesIn(hierarchy, parent)) removeEmpty(join(base, dirname(name)));
  }
}

/** The limits whose controllers this machine has, and a warning for each of the others: for who makes the cgroup. */
export function possibleLimits(limits: ResourceLimits): { limits: ResourceLimits; warnings: string[] } {
  const controllers = new Set(readHierarchies().flatMap((hierarchy) => hierarchy.controllers));
  const warnings = settingsOf(limits)
    .filter(({ controller }) => !controllers.has(controller))
    .map((setting) => setting.lost);
  const { memory, memorySwap, cpusetCpus, cpusetMems, ...cpu } = limits;
  const possible = {
    ...(controllers.has('memory') ? { memory, memorySwap } : {}),
    ...(controllers.has('cpu') ? cpu : {}),
    ...(controllers.has('cpuset') ? { cpusetCpus, cpusetMems } : {}),
  };
  return { limits: JSON.parse(JSON.stringify(possible)) as ResourceLimits, warnings: [...new Set(warnings)] };
}

/** Order matters: the kernel wants memory before memory with swap, and a period before its quota. */
function settingsOf(limits: ResourceLimits): Setting[] {
  const { memory, memorySwap, cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems } = limits;
  const settings: Setting[] = [];
  const add = (controller: Controller, setting: Omit<Setting, 'controller'>): unknown =>
    settings.push({ controller, ...setting });
  if (memory !== undefined) {
    add('memory', {
      v1: ['memory.limit_in_bytes', String(memory)],
      v2: ['memory.max', String(memory)],
      lost: lost('memory limit capabilities'),
    });
    const both = memorySwap ?? 2 * memory;
    add('memory', {
      v1: ['memory.memsw.limit_in_bytes', String(both)],
      v2: ['memory.swap.max', both < 0 ? 'max' : String(both - memory)],
      lost: 'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    });
  }
  if (cpuShares !== undefined) {
    const weight = Math.min(10_000, Math.max(1, 1 + Math.floor(((cpuShares - 2) * 9999) / 262_142)));
    add('cpu', {
      v1: ['cpu.shares', String(cpuShares)],
      v2: ['cpu.weight', String(weight)],
      lost: lost('CPU shares', 'Shares'),
    });
  }
  if (cpuPeriod !== undefined) {
    add('cpu', {
      v1: ['cpu.cfs_period_us', String(cpuPeriod)],
      v2: ['cpu.max', `${cpuQuota ?? 'max'} ${cpuPeriod}`],
      lost: lost('CPU CFS scheduler', 'Period'),
    });
  }
  if (cpuQuota !== undefined) {
    add('cpu', {
      v1: ['cpu.cfs_quota_us', String(cpuQuota)],
      v2: ['cpu.max', `${cpuQuota < 0 ? 'max' : cpuQuota} ${cpuPeriod ?? 100_000}`],
      lost: lost('CPU CFS scheduler', 'Quota'),
    });
  }
  if (cpusetCpus !== undefined) {
    add('cpuset', {
      v1: ['cpuset.cpus', cpusetCpus],
      v2: ['cpuset.cpus', cpusetCpus],
      lost: lost('cpuset', 'Cpuset'),
    });
  }
  if (cpusetMems !== undefined) {
    add('cpuset', {
      v1: ['cpuset.mems', cpusetMems],
      v2: ['cpuset.mems', cpusetMems],
      lost: lost('cpuset', 'Cpuset'),
    });
  }
  return settings;
}

function lost(what: string, discarded = 'Limitation'): string {
  return `Your kernel does not support ${what} or the cgroup is not mounted. ${discarded} discarded.`;
}

/** Makes the cgroup below the first directory that lets it; undefined where none does. */
function createIn(
  hierarchy: Hierarchy,
  request: { parent: string | undefined; name: string; controller: Controller | undefined },
): string | undefined {
  for (const base of basesIn(hierarchy, request.parent)) {
    const path = join(base, request.name);
    try {
      delegate(hierarchy, base, request.controller);
      mkdirSync(path, { recursive: true });
      delegate(hierarchy, dirname(path), request.controller);
      // Moving a process takes the right to write to what is above both of its places.
      if (hierarchy.unified) accessSync(join(base, 'cgroup.procs'), constants.W_OK);
      if (hierarchy.controllers.includes('cpuset') && !hierarchy.unified) fillCpuset(hierarchy.mount, path);
      return path;
    } catch {
      // The next one may let it.
    }
  }
  return undefined;
}

function basesIn(hierarchy: Hierarchy, parent: string | undefined): string[] {
  return parent === undefined
    ? nearCgroups(hierarchy)
    : [join(hierarchy.mount, posix.normalize(`/${parent}`))];
}

/** Lets the children of a cgroup of version 2 use a controller. */
function delegate(hierarchy: Hierarchy, path: string, controller: Controller | undefined): void {
  if (!hierarchy.unified || controller === undefined) return;
  const file = join(path, 'cgroup.subtree_control');
  if (readFileSync(file, 'latin1').split(/\s+/).includes(controller)) return;
  writeFileSync(file, `+${controller}`);
}

/** A new cpuset of version 1 is empty and takes no process: it gets what its parent has, from the root down. */
function fillCpuset(mount: string, path: string): void {
  if (path === mount) return;
  fillCpuset(mount, dirname(path));
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readFileSync(join(path, file), 'latin1').trim() !== '') continue;
    writeFileSync(join(path, file), readFileSync(join(dirname(path), file), 'latin1').trim());
  }
}

function write(path: string, value: string): boolean {
  try {
    writeFileSync(path, value, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

/** Removes a cgroup, and the one above it when that is empty then. */
async function removeWhenEmpty(path: string, above: string): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES; tries++) {
    try {
      rmdirSync(path);
      break;
    } catch (error) {
      if (!isErrno(error, 'EBUSY')) return;
      await delay(5);
    }
  }
  removeEmpty(above);
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Other containers of this worker are in it.
  }
}
