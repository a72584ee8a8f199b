import { redactUrl } from '../errors/redact-url.ts';
import type { ContextSource } from './context-source.ts';
import { openGitContext } from './git/git-context.ts';
import type { GitLocation } from './git/git-location.ts';
import { parseGitLocation, parseLocalRepository } from './git/parse-git-location.ts';
import type { RemoteAccess } from './remote-access.ts';
import { openWebContext } from './web/web-context.ts';

export interface RemoteContextOptions {
  access: RemoteAccess;
  /** What paths of repositories are relative to. */
  cwd: string;
  /** Git contexts keep their `.git` (BUILDKIT_CONTEXT_KEEP_GIT_DIR), unless their address says otherwise. */
  keepGitDir?: boolean | undefined;
  indexDirectory?: string | undefined;
  readXattrs?: ((path: string) => Map<string, Buffer> | undefined) | undefined;
}

/**
 * Opens what the user names as a context when it is a git repository or an address of the web: its files, or the text
 * of a Dockerfile. Undefined for anything else.
 *
 * @throws SlipwayError those of `parseGitLocation`, `openGitContext` and `openWebContext`
 */
export async function openRemoteContext(
  argument: string,
  options: RemoteContextOptions,
): Promise<{ context: ContextSource } | { text: Buffer; description: string } | undefined> {
  const location = gitLocation(argument, options);
  if (location !== undefined) return { context: await openGitContext(location, options) };
  if (!/^https?:\/\//i.test(argument)) return undefined;
  const opened = await openWebContext(argument, options);
  return 'context' in opened ? opened : { ...opened, description: redactUrl(argument) };
}

function gitLocation(argument: string, { cwd, keepGitDir }: RemoteContextOptions): GitLocation | undefined {
  const location = parseLocalRepository(argument, cwd) ?? parseGitLocation(argument);
  return location && { ...location, keepGitDir: location.keepGitDir ?? keepGitDir };
}
