import { createHash } from 'node:crypto';
import path from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { redactUrl } from '../../errors/redact-url.ts';
import { REMOTE_LIMITS, type RemoteAccess } from '../remote-access.ts';
import { type Budget, checkOut, makePlace, settle, subdirOf } from './git-checkout.ts';
import { keepGitDirectory } from './git-directory.ts';
import type { GitLocation } from './git-location.ts';
import { GitFailure } from './git-program.ts';
import { isCommitId, type ResolvedRef, resolveRef } from './git-refs.ts';
import { type GitRemote, type NamedBy, openGitRemote } from './git-remote.ts';
import { checkChecksum, fetchCommit, repositoryKey } from './git-repository.ts';
import { submodulesOf } from './git-submodules.ts';

/** Files of a commit on this machine. */
export interface GitTree {
  /** Absolute path of the directory that was asked for. */
  root: string;
  commit: string;
  release(): void;
}

/** A location whose ref has been looked up. */
export interface FoundCommit {
  /** Undefined for a shortened id, which only fetching completes. */
  commit: string | undefined;
  /** Says what the files of the commit will be, wherever they come from. */
  identity: string | undefined;
  /** Gets the files, from what is kept where they are. The caller releases them. */
  open(): Promise<GitTree>;
}

/** Submodules in submodules beyond this are a mistake, or malice. */
const MAX_DEPTH = 20;
const MAX_SUBMODULES = 1000;

/**
 * Looks up what a location names at the moment: one question to the server, none for a whole commit id.
 *
 * @throws SlipwayError as `resolveRef`; GIT_CHECKSUM_MISMATCH
 */
export async function findCommit(
  location: GitLocation,
  access: RemoteAccess,
  namedBy: NamedBy,
): Promise<FoundCommit> {
  const remote = await openGitRemote(location, access, namedBy);
  const resolved = await resolveRef(remote);
  const { commit, object } = resolved;
  if (commit !== undefined && object !== undefined && location.fetchByCommit !== true)
    checkChecksum(remote, { commit, object });
  return {
    commit,
    identity: commit === undefined ? undefined : identityOf(remote, resolved),
    open: () => open(remote, resolved, access),
  };
}

async function open(remote: GitRemote, resolved: ResolvedRef, access: RemoteAccess): Promise<GitTree> {
  const { location } = remote;
  let known = resolved;
  if (known.commit === undefined || !isCommitId(known.commit))
    known = await complete(remote, resolved, access);
  const entry = await access.kept.obtain(
    'checkout',
    checkoutKey(remote, known),
    (directory) => fill(remote, known, { directory, access }),
    access.signal,
  );
  return {
    root: path.join(entry.directory, subdirOf(location.subdir)),
    commit: known.commit!,
    release: () => entry.release(),
  };
}

/** A shortened id in full. */
async function complete(
  remote: GitRemote,
  resolved: ResolvedRef,
  access: RemoteAccess,
): Promise<ResolvedRef> {
  const repository = await fetchCommit(remote, resolved, access);
  const { commit, object } = repository;
  repository.release();
  return { commit, object, name: undefined };
}

async function fill(
  remote: GitRemote,
  resolved: ResolvedRef,
  { directory, access }: { directory: string; access: RemoteAccess },
): Promise<void> {
  const budget: Budget = { ...REMOTE_LIMITS, ...access.limits };
  const count = { submodules: 0 };
  const seconds = await placeAll({ remote, resolved, directory, access, budget, count, depth: 0 });
  settle(directory, remote.location.mtime === 'commit' ? seconds : undefined);
}

/** What git itself refuses: names that lead elsewhere, damaged objects. */
async function placeAll(placing: Placing): Promise<number> {
  try {
    return await place(placing);
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    const { remote, resolved } = placing;
    throw new SlipwayError(
      'invalid',
      `cannot check out ${resolved.commit} of ${redactUrl(remote.location.remote)}: ${error.message}`,
      { code: 'GIT_CHECKOUT_FAILED', cause: error },
    );
  }
}

interface Placing {
  remote: GitRemote;
  resolved: ResolvedRef;
  directory: string;
  access: RemoteAccess;
  budget: Budget;
  count: { submodules: number };
  depth: number;
}

/**
 * Puts a commit and its submodules into a directory and gives the time of the commit. No repository is held while
 * another is waited for.
 */
async function place(placing: Placing): Promise<number> {
  const { remote, resolved, directory, access, budget, depth } = placing;
  const { location } = remote;
  const subdir = depth === 0 ? subdirOf(location.subdir) : '';
  const repository = await fetchCommit(remote, resolved, access);
  let submodules: Awaited<ReturnType<typeof submodulesOf>>;
  let seconds: number;
  try {
    const links = await checkOut({ repository, directory, subdir, budget });
    submodules = location.submodules === false ? [] : await submodulesOf(repository, location, links);
    seconds = Number(await repository.run(['show', '--no-patch', '--format=%ct', repository.commit]));
    if (location.keepGitDir === true && subdir === '' && depth === 0)
      await keepGitDirectory({ repository, resolved, location, directory, access });
  } finally {
    repository.release();
  }
  for (const submodule of submodules) {
    placing.count.submodules++;
    if (depth >= MAX_DEPTH || placing.count.submodules > MAX_SUBMODULES)
      throw new SlipwayError(
        'exhausted',
        `the repository has more than ${MAX_SUBMODULES} submodules, or some ${MAX_DEPTH} deep`,
        {
          code: 'GIT_TOO_LARGE',
        },
      );
    // What the user's own ways open at one host stays with that host.
    const same =
      submodule.location.host === location.host && submodule.location.transport === location.transport;
    await place({
      ...placing,
      remote: await openGitRemote(submodule.location, access, same ? remote.namedBy : 'repository'),
      resolved: { object: submodule.commit, commit: submodule.commit, name: undefined },
      directory: makePlace(directory, submodule.path),
      depth: depth + 1,
    });
  }
  return seconds;
}

function checkoutKey(remote: GitRemote, resolved: ResolvedRef): string {
  const identity = [repositoryKey(remote, ''), identityOf(remote, resolved)];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
}

function identityOf({ location }: GitRemote, { commit, object, name }: ResolvedRef): string {
  const { remote, subdir, submodules, keepGitDir, mtime } = location;
  const git = keepGitDir === true ? { remote, object, name } : undefined;
  return JSON.stringify({
    commit,
    subdir: subdirOf(subdir),
    submodules: submodules !== false,
    mtime: mtime ?? 'checkout',
    // Relative addresses of submodules begin at it.
    parent: submodules === false ? undefined : remote,
    git,
  });
}
