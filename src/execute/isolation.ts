import { accessSync, constants, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * How far the worker can be isolated from the host (DESIGN, decision 14).
 *
 * - `root`: real root, own mount and pid namespace
 * - `ids`: an ordinary user with subordinate ids in a user namespace
 * - `single`: an ordinary user with one id in a user namespace
 */
export interface Isolation {
  tier: 'root' | 'ids' | 'single';
  /** Program and arguments to put before the worker's own command line. */
  prefix: string[];
  /** One line for `slipway info`. */
  reason: string;
}

/** Finds out what this user may do; reads a few small files and starts nothing. */
export function detectIsolation(env: NodeJS.ProcessEnv): Isolation {
  const namespaces = [
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--propagation',
    'private',
    '--mount-proc',
  ];
  const start = ['setpriv', '--pdeathsig', 'KILL', 'unshare'];
  if (process.getuid?.() === 0) {
    return {
      tier: 'root',
      prefix: [...start, ...namespaces],
      reason: 'root: containers get namespaces of their own, without a user namespace',
    };
  }
  if (findProgram('newuidmap', env) && findProgram('newgidmap', env) && hasSubordinateIds()) {
    return {
      tier: 'ids',
      prefix: [...start, '--user', '--map-root-user', '--map-auto', ...namespaces],
      reason: 'user namespace with the subordinate ids of /etc/subuid and /etc/subgid',
    };
  }
  return {
    tier: 'single',
    prefix: [...start, '--user', '--map-root-user', ...namespaces],
    reason:
      'user namespace with a single id: /etc/subuid and /etc/subgid name no range for this user, or newuidmap is not installed (package uidmap)',
  };
}

/** Absolute path of a program on PATH, or undefined. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined {
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

function hasSubordinateIds(): boolean {
  const { username, uid } = userInfo();
  const mine = (file: string): boolean => {
    try {
      return readFileSync(file, 'utf8')
        .split('\n')
        .some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`));
    } catch {
      return false;
    }
  };
  return mine('/etc/subuid') && mine('/etc/subgid');
}
