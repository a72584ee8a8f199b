import { readFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';

/** A mounted hierarchy of cgroups (cgroups(7)). */
export interface Hierarchy {
  mount: string;
  /** The cgroup of this process in it, as a path below `mount`. */
  own: string;
  /** Version 2. */
  unified: boolean;
  /** What can be limited in it. */
  controllers: readonly string[];
}

/** The hierarchies that this process sees. */
export function readHierarchies(): Hierarchy[] {
  const places = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, names, path]) => ({ names: names!.split(','), path: path! }));
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line): Hierarchy[] => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , root = '/', mount = ''] = before.split(' ');
      const [type, , superOptions = ''] = after.split(' ');
      if (type !== 'cgroup' && type !== 'cgroup2') return [];
      const unified = type === 'cgroup2';
      const names = unified ? [''] : superOptions.split(',');
      const path = places.find((place) => place.names.some((name) => names.includes(name)))?.path ?? '/';
      const own = path.startsWith(root) ? posix.normalize(`/${path.slice(root.length)}`) : '/';
      return [{ mount, own, unified, controllers: unified ? controllersOf(mount, own) : names }];
    });
}

/**
 * Directories in which this process may have cgroups made, the nearest first, so that limits on the process hold on
 * them too. In version 2 a cgroup with processes gives its children nothing: one beside it is the nearest.
 */
export function nearCgroups({ mount, own, unified }: Hierarchy): string[] {
  const near = unified ? [] : [own];
  for (let path = own; path !== '/'; path = dirname(path)) near.push(dirname(path));
  return [...new Set([...near, '/'])].map((path) => resolve(mount, `.${path}`));
}

function controllersOf(mount: string, own: string): string[] {
  try {
    return readFileSync(join(mount, own, 'cgroup.controllers'), 'latin1').split(/\s+/);
  } catch {
    return [];
  }
}
