import { SlipwayError } from '../errors/index.ts';
import { findProgram } from './isolation/find-program.ts';
import { type IdMaps, identity, idMapWord, rootAndRanges, subordinateRanges } from './isolation/id-map.ts';
import { type Obstacle, userNamespaceObstacle } from './isolation/kernel-settings.ts';
import { type ProcessFacts, readProcessFacts, readText } from './isolation/process-facts.ts';

/** What a user may ask for. */
export type IsolationChoice = 'auto' | 'none';

/**
 * How far the worker can be isolated from the host (DESIGN, decision 14).
 *
 * - `root`: with root's rights, own mount and pid namespace
 * - `ids`: a user namespace with many ids
 * - `single`: a user namespace with one id
 * - `none`: no namespace at all, as root of a container
 */
export type Tier = 'root' | 'ids' | 'single' | 'none';

/** For whoever builds so: what is missing. */
export const NO_ISOLATION_WARNING =
  'isolation is off: RUN shares the network, the processes, the users and the kernel interfaces of this container, and only chroot keeps it from its files. It has no /proc and no /sys, mounts are copies, secrets lie in the build while it uses them. Build only what you trust.';

/** How the user namespace gets its map. */
export type Mapping =
  /** By unshare itself: the user's own id, as 0. */
  | { by: 'unshare' }
  /** By newuidmap and newgidmap, whose paths these are. */
  | { by: 'programs'; newuidmap: string; newgidmap: string; maps: IdMaps }
  /** By this process, which has the capabilities for it. */
  | { by: 'self'; maps: IdMaps };

/** What `detectIsolation` found out. Plain data. */
export interface Isolation {
  tier: Tier;
  /** Without: no new user namespace is made. */
  mapping?: Mapping;
  /** The worker is not root of the machine's first user namespace: overlayfs keeps its marks in `user.*`. */
  userNamespace: boolean;
  /** How the store's files have their owners, see `StoreOptions.idMap` of the store. */
  idMap: string;
  /** One line for `slipway info`. */
  reason: string;
  /** What would give more, if something is missing. */
  advice?: string;
  /** A setting of the machine that stands against the user namespace, or may. */
  obstacle?: Obstacle;
}

/**
 * Finds out what this process may do; reads a few small files and starts nothing. What the kernel then really
 * allows shows when the worker starts.
 *
 * Without a choice SLIPWAY_ISOLATION=none in the environment makes it.
 * Throws `denied` (`ISOLATION_NONE`) when `none` is asked for and this process is not a container's root.
 */
export function detectIsolation(
  env: NodeJS.ProcessEnv = process.env,
  choice: IsolationChoice = env.SLIPWAY_ISOLATION === 'none' ? 'none' : 'auto',
): Isolation {
  const facts = readProcessFacts();
  if (choice === 'none') return withoutIsolation(facts);
  if (facts.uid === 0 && facts.capabilities.has('SYS_ADMIN')) {
    const nested = !facts.initialNamespace;
    return {
      tier: 'root',
      userNamespace: nested,
      idMap: nested ? idMapWord(facts.maps) : 'host',
      reason: nested
        ? 'root of a user namespace: containers get namespaces of their own in it'
        : 'root: containers get namespaces of their own, without a user namespace',
    };
  }
  const obstacle = userNamespaceObstacle();
  return { ...inUserNamespace(facts, env), ...(obstacle && { obstacle }) };
}

function inUserNamespace(facts: ProcessFacts, env: NodeJS.ProcessEnv): Isolation {
  const { uid, gid, capabilities } = facts;
  if (uid === 0 && capabilities.has('SETUID') && capabilities.has('SETGID')) {
    const maps = { uid: identity(facts.maps.uid), gid: identity(facts.maps.gid) };
    const reason = 'user namespace with the ids of this one: root here may not mount (no CAP_SYS_ADMIN)';
    return { ...namespaced('ids', maps, reason), mapping: { by: 'self', maps } };
  }
  const subordinate = subordinateMaps(facts);
  const newuidmap = findProgram('newuidmap', env);
  const newgidmap = findProgram('newgidmap', env);
  if (subordinate && newuidmap && newgidmap && !facts.noNewPrivileges) {
    const count = subordinate.uid.reduce((sum, range) => sum + range.count, 0) - 1;
    const reason = `user namespace with the ${count} subordinate ids of /etc/subuid and /etc/subgid`;
    return {
      ...namespaced('ids', subordinate, reason),
      mapping: { by: 'programs', newuidmap, newgidmap, maps: subordinate },
    };
  }
  const [why, advice] = singleBecause(facts, subordinate !== undefined);
  const maps = { uid: rootAndRanges(uid, []), gid: rootAndRanges(gid, []) };
  return {
    ...namespaced('single', maps, `user namespace with a single id: ${why}`),
    mapping: { by: 'unshare' },
    advice,
  };
}

function namespaced(tier: Tier, maps: IdMaps, reason: string): Isolation {
  return { tier, userNamespace: true, idMap: idMapWord(maps), reason };
}

function subordinateMaps(facts: ProcessFacts): IdMaps | undefined {
  const { name, uid, gid } = facts;
  // /etc/subgid, too, names users.
  const user = { name, id: uid };
  const uids = subordinateRanges(readText('/etc/subuid'), user);
  const gids = subordinateRanges(readText('/etc/subgid'), user);
  if (uids.length === 0 || gids.length === 0) return undefined;
  return { uid: rootAndRanges(uid, uids), gid: rootAndRanges(gid, gids) };
}

/** Why there is only one id, and what to do about it. */
function singleBecause(facts: ProcessFacts, subordinate: boolean): [why: string, advice: string] {
  if (facts.noNewPrivileges) {
    return [
      'no_new_privs is set, so newuidmap cannot work',
      'For more ids start it without no_new_privs (in a pod: allowPrivilegeEscalation: true).',
    ];
  }
  if (subordinate) {
    return [
      'newuidmap and newgidmap are not installed',
      'For more ids install the package uidmap (shadow-uidmap, shadow-utils).',
    ];
  }
  const user = facts.name ?? String(facts.uid);
  return [
    '/etc/subuid and /etc/subgid name no ids for this user',
    `For more ids, as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user} (ids that nobody else has), and install the package uidmap.`,
  ];
}

function withoutIsolation(facts: ProcessFacts): Isolation {
  if (facts.uid !== 0 || !facts.capabilities.has('SYS_CHROOT')) {
    throw new SlipwayError('denied', '--isolation=none is for the root of a container, with CAP_SYS_CHROOT', {
      code: 'ISOLATION_NONE',
      hint: 'In a pod: runAsUser: 0. Everybody else gets a user namespace without that option.',
    });
  }
  return {
    tier: 'none',
    userNamespace: true,
    idMap: `none:${idMapWord(facts.maps)}`,
    reason: '--isolation=none: RUN is kept apart by chroot alone',
  };
}
