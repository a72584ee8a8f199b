import { readFileSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import type { BytePath } from '../../sys/bytes.ts';
import type { WorkerHost } from '../worker/host.ts';
import { type Account, resolveUser } from './account.ts';

/** What to do about a user who has one id only. */
export const SUBORDINATE_IDS_HINT =
  'This build has a single id, because /etc/subuid and /etc/subgid give this user no others (or newuidmap cannot be used): `slipway info` says what to do.';

/**
 * `resolveUser`, and whether the worker's user namespace has the ids: with a single one only root is there, without
 * further groups.
 *
 * Throws `unsupported` (`USER_NOT_MAPPED`) for others, and what `resolveUser` throws.
 */
export function resolveMappedUser(host: Pick<WorkerHost, 'tier'>, root: BytePath, text: string): Account {
  const account = resolveUser(root, text);
  if (host.tier === 'root' || host.tier === 'none') return account;
  const hasUid = mapped('uid');
  const hasGid = mapped('gid');
  if (!hasUid(account.uid) || !hasGid(account.gid)) {
    throw new SlipwayError(
      'unsupported',
      `USER ${text} is ${account.uid}:${account.gid} here, an id that this user's namespace does not have`,
      { code: 'USER_NOT_MAPPED', hint: SUBORDINATE_IDS_HINT, subject: { part: 'user' } },
    );
  }
  const additionalGids = host.tier === 'single' ? [] : account.additionalGids.filter(hasGid);
  return { ...account, additionalGids };
}

function mapped(kind: 'uid' | 'gid'): (id: number) => boolean {
  const ranges = readFileSync(`/proc/self/${kind}_map`, 'latin1')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number, number]);
  return (id) => ranges.some(([inside, , count]) => id >= inside && id < inside + count);
}
