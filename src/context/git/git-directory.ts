import fs from 'node:fs';
import path from 'node:path';
import type { RemoteAccess } from '../remote-access.ts';
import type { GitLocation } from './git-location.ts';
import { runGit } from './git-program.ts';
import type { ResolvedRef } from './git-refs.ts';
import type { GitRepository } from './git-repository.ts';

export interface KeepRequest {
  repository: GitRepository;
  resolved: ResolvedRef;
  location: GitLocation;
  /** The files, checked out. */
  directory: string;
  access: RemoteAccess;
}

/**
 * Makes the `.git` that `--keep-git-dir` keeps: the one commit, its branch or tag, and the address without credentials.
 * The index has no stat data and there are no logs, so that the same commit gives the same files.
 */
export async function keepGitDirectory(request: KeepRequest): Promise<void> {
  const { repository, resolved, location, directory, access } = request;
  const gitDir = path.join(directory, '.git');
  const run = (args: readonly string[], protocols = ''): Promise<string> =>
    runGit({ args, gitDir, env: access.env, protocols, ownConfig: false, signal: access.signal });
  const format = repository.commit.length === 64 ? ['--object-format=sha256'] : [];
  fs.mkdirSync(gitDir);
  await run(['init', '--quiet', '--template=', ...format]);
  await run(['config', 'core.bare', 'false']);
  // By the protocol: a clone of files would take whatever lies there.
  const source = `file://${repository.directory}`;
  const { name } = resolved;
  const target =
    name?.startsWith('refs/heads/') || name?.startsWith('refs/tags/') ? name : 'refs/heads/detached';
  await run(
    [
      'fetch',
      '--quiet',
      '--depth=1',
      '--no-tags',
      '--update-head-ok',
      '--',
      source,
      `+${repository.object}:${target}`,
    ],
    'file',
  );
  await run(['update-ref', '--no-deref', 'HEAD', repository.commit]);
  if (target !== name) await run(['update-ref', '-d', target]);
  await run(['config', 'remote.origin.url', location.remote]);
  await run(['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*']);
  await run(['read-tree', 'HEAD']);
  for (const rest of ['FETCH_HEAD', 'ORIG_HEAD', 'logs', 'hooks'])
    fs.rmSync(path.join(gitDir, rest), { recursive: true, force: true });
}
