import fs from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { type BytePath, bufferOf, bytesOf, textOf } from '../../sys/bytes.ts';
import { clampPath } from '../clean-path.ts';
import type { RemoteLimits } from '../remote-access.ts';
import type { GitRepository } from './git-repository.ts';

/** A directory of a commit that stands for another repository's commit. */
export interface GitLink {
  /** From the commit's root. */
  path: BytePath;
  commit: string;
}

/** What is left of the limits while a commit and its submodules are checked out. */
export type Budget = RemoteLimits;

export interface CheckoutRequest {
  repository: GitRepository;
  /** Absolute path of an empty directory. */
  directory: string;
  /** As clamped: `a/b`; empty for everything. */
  subdir: string;
  budget: Budget;
}

/**
 * Writes the files of a commit, or of one of its directories at its place, and gives the links to other repositories
 * among them. No filter, hook or other program of anybody runs, and nothing is written through a symbolic link.
 *
 * @throws SlipwayError `not-found` GIT_SUBDIR_NOT_FOUND, `exhausted` GIT_TOO_LARGE
 */
export async function checkOut(request: CheckoutRequest): Promise<GitLink[]> {
  const { repository, directory, subdir } = request;
  if (subdir !== '') await checkSubdir(repository, subdir);
  const { names, links } = await listFiles(request);
  const index = path.join(repository.directory, 'index.new');
  fs.rmSync(index, { force: true });
  try {
    await repository.run(['read-tree', repository.commit], { index });
    const more = { index, workTree: directory };
    if (subdir === '') await repository.run(['checkout-index', '--all', '--force', '--quiet'], more);
    else if (names.length > 0)
      await repository.run(['checkout-index', '--force', '--quiet', '-z', '--stdin'], {
        ...more,
        input: bufferOf(`${names.join('\0')}\0`),
      });
    fs.mkdirSync(path.join(directory, subdir), { recursive: true });
  } finally {
    fs.rmSync(index, { force: true });
  }
  return links;
}

/** Clamped to the repository as Docker has it: `../x` means `x`. */
export function subdirOf(written: string | undefined): string {
  return clampPath(written ?? '');
}

/** The last step of the path must be a directory in the commit itself: links are not followed. */
async function checkSubdir({ run, commit }: GitRepository, subdir: string): Promise<void> {
  const type = await run(['cat-file', '-t', `${commit}:${subdir}`]).catch((error: unknown) => {
    if (error instanceof SlipwayError) throw error;
    return '';
  });
  if (type.trim() === 'tree') return;
  throw new SlipwayError('not-found', `invalid subdir ${subdir}: the repository has no such directory`, {
    code: 'GIT_SUBDIR_NOT_FOUND',
    hint:
      type.trim() === 'blob' ? 'It is a file or a symbolic link there; links are not followed.' : undefined,
  });
}

/** Counts before anything is written: trees that name each other many times are small in a repository. */
async function listFiles(request: CheckoutRequest): Promise<{ names: BytePath[]; links: GitLink[] }> {
  const { repository, subdir, budget } = request;
  const prefix = subdir === '' ? '' : `${bytesOf(subdir)}/`;
  const names: BytePath[] = [];
  const links: GitLink[] = [];
  const line = (record: BytePath): void => {
    const tab = record.indexOf('\t');
    const [mode, , id, size] = record.slice(0, tab).split(/ +/);
    const name = record.slice(tab + 1);
    budget.entries--;
    if (budget.entries < 0) throw tooLarge('names');
    if (!name.startsWith(prefix)) return;
    budget.bytes -= Number(size) || 0;
    if (budget.bytes < 0) throw tooLarge('bytes');
    if (mode === '160000') links.push({ path: name, commit: id! });
    else if (prefix !== '') names.push(name);
  };
  let rest = '';
  await repository.run(['ls-tree', '-r', '-l', '-z', '--full-tree', repository.commit], {
    onOutput(text) {
      const records = (rest + text).split('\0');
      rest = records.pop()!;
      for (const record of records) line(record);
    },
  });
  return { names, links };
}

function tooLarge(what: string): SlipwayError {
  return new SlipwayError('exhausted', `the files of the git repository have too many ${what}`, {
    code: 'GIT_TOO_LARGE',
  });
}

/**
 * Gives files the modes that BuildKit has (SPEC A7), whatever this process's umask is, and if wanted the time of the
 * commit. Names are bytes; links stay as they are but for their time.
 */
export function settle(directory: string, mtimeSeconds: number | undefined): void {
  const pending: BytePath[] = [bytesOf(directory)];
  const directories: BytePath[] = [];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    directories.push(at);
    for (const entry of fs.readdirSync(bufferOf(at), { withFileTypes: true, encoding: 'latin1' })) {
      const name = `${at}/${entry.name}`;
      if (entry.isDirectory()) {
        pending.push(name);
        continue;
      }
      if (entry.isFile())
        fs.chmodSync(bufferOf(name), fs.lstatSync(bufferOf(name)).mode & 0o100 ? 0o755 : 0o644);
      if (mtimeSeconds !== undefined) fs.lutimesSync(bufferOf(name), mtimeSeconds, mtimeSeconds);
    }
  }
  for (const name of directories.reverse()) {
    fs.chmodSync(bufferOf(name), 0o755);
    if (mtimeSeconds !== undefined) fs.utimesSync(bufferOf(name), mtimeSeconds, mtimeSeconds);
  }
}

/**
 * Makes the place of a submodule an empty directory. Every step on the way must be a real directory: a commit can hold
 * a link and a directory of the same name.
 */
export function makePlace(root: string, place: BytePath): string {
  let at = bytesOf(root);
  for (const part of place.split('/')) {
    if (part === '' || part === '.' || part === '..' || /^\.git$/i.test(part)) throw badPlace(place);
    at = `${at}/${part}`;
    const stat = fs.lstatSync(bufferOf(at), { throwIfNoEntry: false });
    if (stat === undefined) fs.mkdirSync(bufferOf(at));
    else if (!stat.isDirectory()) throw badPlace(place);
  }
  if (fs.readdirSync(bufferOf(at)).length > 0) throw badPlace(place);
  const path = bufferOf(at).toString('utf8');
  // A directory for git to work in must have a name that can be an argument.
  if (bytesOf(path) !== at) throw badPlace(place);
  return path;
}

function badPlace(place: BytePath): SlipwayError {
  return new SlipwayError('invalid', `the repository has no place for a submodule at ${textOf(place)}`, {
    code: 'GIT_SUBMODULE_INVALID',
  });
}
