import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { redactUrl } from '../../errors/redact-url.ts';
import type { FetchReport } from '../fetch-progress.ts';
import { REMOTE_LIMITS, type RemoteAccess } from '../remote-access.ts';
import { type GitRun, runGit } from './git-program.ts';
import type { ResolvedRef } from './git-refs.ts';
import type { GitRemote } from './git-remote.ts';

/** See `GitRun`; `index` is the path of an index file. */
export interface LocalRun extends Pick<GitRun, 'workTree' | 'input' | 'onOutput'> {
  index?: string;
}

/** A bare repository of ours that holds a commit, for this process alone. */
export interface GitRepository {
  /** Absolute path. */
  directory: string;
  commit: string;
  /** The object that the ref names: the commit, or a tag. */
  object: string;
  /** Runs git on it, without any configuration of the user and without a protocol. */
  run(args: readonly string[], more?: LocalRun): Promise<string>;
  release(): void;
}

/** Packs beyond this many are no help any more: the repository is fetched anew. */
const MAX_PACKS = 40;

/**
 * Fetches what a ref stands for into the repository that is kept for its address: just the one commit where the server
 * lets one ask for that, else everything. The caller releases it.
 *
 * @throws SlipwayError `not-found` GIT_REF_NOT_FOUND, `invalid` GIT_CHECKSUM_MISMATCH, `exhausted` GIT_TOO_LARGE, those
 * of `GitRemote.run`
 */
export async function fetchCommit(
  remote: GitRemote,
  resolved: ResolvedRef,
  access: RemoteAccess,
): Promise<GitRepository> {
  const { location } = remote;
  const format = (resolved.object ?? '').length === 64 ? 'sha256' : 'sha1';
  const entry = await access.kept.hold('repository', repositoryKey(remote, format), access.signal);
  const directory = entry.directory;
  const run: GitRepository['run'] = (args, more = {}) =>
    runGit({
      args,
      gitDir: directory,
      workTree: more.workTree,
      env: access.env,
      protocols: '',
      ownConfig: false,
      variables: more.index === undefined ? undefined : { GIT_INDEX_FILE: more.index },
      input: more.input,
      onOutput: more.onOutput,
      signal: access.signal,
    });
  try {
    await prepare(directory, format, run);
    const object = await obtainShown({ remote, directory, run }, resolved, access);
    const commit = await commitOf(run, object);
    if (commit === undefined)
      throw new SlipwayError('invalid', `${object} of ${redactUrl(location.remote)} is not a commit`, {
        code: 'GIT_REF_INVALID',
      });
    checkChecksum(remote, { commit, object });
    return { directory, commit, object, run, release: () => entry.release() };
  } catch (error) {
    entry.release();
    throw error;
  }
}

/** What is let in differently is kept apart: a Dockerfile does not find what only its user may see. */
export function repositoryKey(remote: GitRemote, format: string): string {
  const { location, namedBy, credentials } = remote;
  const identity = [location.remote, format, namedBy === 'user', credentials !== undefined];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
}

/** SPEC A6: the id of the commit or of the tag that names it, or its beginning. */
export function checkChecksum(remote: GitRemote, found: { commit: string; object: string }): void {
  const { checksum, remote: address } = remote.location;
  if (checksum === undefined || found.commit.startsWith(checksum) || found.object.startsWith(checksum))
    return;
  throw new SlipwayError(
    'invalid',
    `digest mismatch for ${redactUrl(address)}: expected checksum to match ${checksum}, got ${found.commit}`,
    { code: 'GIT_CHECKSUM_MISMATCH', subject: { part: 'flag', name: 'checksum' } },
  );
}

async function prepare(directory: string, format: string, run: GitRepository['run']): Promise<void> {
  const packs = path.join(directory, 'objects', 'pack');
  if (fs.existsSync(packs)) {
    const names = fs.readdirSync(packs);
    // Whoever held it before may have been killed in the middle.
    for (const name of names) if (name.startsWith('tmp_')) fs.rmSync(path.join(packs, name), { force: true });
    for (const name of fs.readdirSync(directory))
      if (name.endsWith('.lock')) fs.rmSync(path.join(directory, name), { force: true });
    if (
      fs.existsSync(path.join(directory, 'HEAD')) &&
      names.filter((name) => name.endsWith('.pack')).length < MAX_PACKS
    )
      return;
  }
  for (const name of fs.readdirSync(directory))
    fs.rmSync(path.join(directory, name), { recursive: true, force: true });
  const objects = format === 'sha1' ? [] : [`--object-format=${format}`];
  await run(['init', '--quiet', '--bare', '--template=', ...objects, directory]);
  await run(['config', 'uploadpack.allowAnySHA1InWant', 'true']);
}

interface Fetcher {
  remote: GitRemote;
  directory: string;
  run: GitRepository['run'];
  limit: number;
  /** Called when something is really fetched. */
  report: () => FetchReport | undefined;
}

/** As `obtain`, and tells of it: one way that a server does not go is no failure yet. */
async function obtainShown(
  fetcher: Omit<Fetcher, 'limit' | 'report'>,
  resolved: ResolvedRef,
  { limits, progress }: RemoteAccess,
): Promise<string> {
  let shown: FetchReport | undefined;
  const report = (): FetchReport | undefined => {
    shown ??= progress?.({ kind: 'git', address: redactUrl(fetcher.remote.location.remote) });
    return shown;
  };
  try {
    const limit = limits?.bytes ?? REMOTE_LIMITS.bytes;
    const object = await obtain({ ...fetcher, limit, report }, resolved);
    shown?.ended('done');
    return object;
  } catch (error) {
    shown?.ended('failed', error);
    throw error;
  }
}

/** The id of the object that the ref names, which is in the repository then. */
async function obtain(fetcher: Fetcher, resolved: ResolvedRef): Promise<string> {
  const { run, remote } = fetcher;
  const { object, name, short } = resolved;
  const isHere = async (): Promise<boolean> =>
    object !== undefined && (await commitOf(run, object)) !== undefined;
  if (object !== undefined) {
    if (await isHere()) return object;
    // By its name first, as every server allows. If it has moved on since it was asked for, by its id.
    for (const wanted of name === undefined ? [object] : [name, object]) {
      try {
        const kept = wanted.replace(/^(?:refs\/)?/, 'refs/kept/');
        await fetchRefs(fetcher, ['--depth=1', '--no-tags'], [`+${wanted}:${kept}`]);
        if (await isHere()) return object;
      } catch (error) {
        if (!(error instanceof SlipwayError) || error.code !== 'GIT_FAILED' || error.kind === 'denied')
          throw error;
        // Not every server gives single commits, or shallow histories; whole ones all have.
      }
    }
  }
  const shallow = fs.existsSync(path.join(fetcher.directory, 'shallow')) ? ['--unshallow'] : [];
  await fetchRefs(fetcher, shallow, ['+refs/heads/*:refs/kept/heads/*', '+refs/tags/*:refs/kept/tags/*']);
  const found = object ?? (await commitOf(run, short!));
  if (found !== undefined && (object === undefined || (await isHere()))) return found;
  throw new SlipwayError(
    'not-found',
    `repository does not contain ref ${short ?? object ?? ''}: ${redactUrl(remote.location.remote)}`,
    { code: 'GIT_REF_NOT_FOUND', hint: 'It takes the name of a branch or tag, or a commit id.' },
  );
}

async function fetchRefs(
  fetcher: Fetcher,
  options: readonly string[],
  refspecs: readonly string[],
): Promise<void> {
  const { remote, directory, limit } = fetcher;
  const before = sizeOfPacks(directory);
  const report = fetcher.report();
  try {
    await remote.run(['fetch', '--quiet', '--force', ...options, '--', remote.location.remote, ...refspecs], {
      gitDir: directory,
      watch: () => {
        const size = sizeOfPacks(directory);
        report?.received(Math.max(0, size - before));
        checkSize(remote, size, limit);
      },
    });
  } finally {
    fs.rmSync(path.join(directory, 'FETCH_HEAD'), { force: true });
  }
}

function sizeOfPacks(directory: string): number {
  const packs = path.join(directory, 'objects', 'pack');
  let sum = 0;
  for (const name of fs.readdirSync(packs))
    sum += fs.statSync(path.join(packs, name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}

function checkSize(remote: GitRemote, size: number, limit: number): void {
  if (size <= limit) return;
  throw new SlipwayError(
    'exhausted',
    `the repository ${redactUrl(remote.location.remote)} is larger than ${limit} bytes`,
    {
      code: 'GIT_TOO_LARGE',
    },
  );
}

/** The commit that an id stands for, if it is here. */
async function commitOf(run: GitRepository['run'], id: string): Promise<string | undefined> {
  try {
    return (await run(['rev-parse', '--verify', '--quiet', `${id}^{commit}`])).trim();
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    return undefined;
  }
}
