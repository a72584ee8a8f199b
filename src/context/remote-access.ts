import type { FetchProgress } from './fetch-progress.ts';
import type { KeptSources } from './kept/kept-sources.ts';

/** What fetching something from elsewhere may use. */
export interface RemoteAccess {
  kept: KeptSources;
  /** Of the caller: proxies, and for git what it reads of its own. */
  env: NodeJS.ProcessEnv;
  /** A directory with room for what is made and removed again. */
  temporaryDirectory: string;
  /** The content of one of the build's secrets; undefined when it was not given. */
  secret: (id: string) => Promise<Buffer | undefined>;
  /** The socket of the ssh agent that the user lets a Dockerfile use, if any. */
  sshAgent: () => Promise<string | undefined>;
  /** What one source may hold at most; see `RemoteLimits`. */
  limits?: Partial<RemoteLimits>;
  /** Told of what is really fetched. */
  progress?: FetchProgress | undefined;
  signal?: AbortSignal | undefined;
}

/** Bounds on what a source from elsewhere brings along; each is named in the error when it is reached. */
export interface RemoteLimits {
  /** Bytes of a repository's objects, or of a download. */
  bytes: number;
  /** Names of a commit with all its submodules. */
  entries: number;
}

export const REMOTE_LIMITS: RemoteLimits = { bytes: 64 * 2 ** 30, entries: 5_000_000 };

/** First of the secrets that was given, as text without the line end that files have. */
export async function firstSecret(
  access: RemoteAccess,
  ids: readonly string[],
): Promise<{ id: string; value: string } | undefined> {
  for (const id of ids) {
    const content = await access.secret(id);
    const value = content?.toString('utf8').replace(/[\r\n]+$/, '');
    if (value) return { id, value };
  }
  return undefined;
}
