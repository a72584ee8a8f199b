import { SlipwayError } from '../../errors/index.ts';
import { redactUrl } from '../../errors/redact-url.ts';
import type { RemoteAccess } from '../remote-access.ts';
import { gitCredentials } from './git-credentials.ts';
import type { GitLocation } from './git-location.ts';
import { type GitCredentials, GitFailure, type GitRun, runGit } from './git-program.ts';

/**
 * Who named a repository, and so what may be used to get in:
 * - `user`: all that git has of its own: credential helpers, ssh keys and agents, and the build's secrets
 * - `dockerfile`: the secrets, and the ssh agent of `--ssh`
 * - `repository`: another repository, as a submodule: the secrets of exactly that host
 */
export type NamedBy = 'user' | 'dockerfile' | 'repository';

/** A repository that can be asked. */
export interface GitRemote {
  location: GitLocation;
  namedBy: NamedBy;
  credentials: GitCredentials | undefined;
  /** Runs git with what lets it in. Throws SlipwayError, with the repository's address and a hint. */
  run(args: readonly string[], more?: Partial<GitRun>): Promise<string>;
}

/** Of the protocols that git speaks those that a redirect may lead to are allowed as well. */
const PROTOCOLS = { https: 'https', http: 'http:https', git: 'git', ssh: 'ssh', file: 'file' } as const;

/** Makes ready what gets git into a repository. */
export async function openGitRemote(
  location: GitLocation,
  access: RemoteAccess,
  namedBy: NamedBy,
): Promise<GitRemote> {
  const unscoped = namedBy !== 'repository';
  const credentials = await gitCredentials(location, access, { unscoped });
  const env = location.transport === 'ssh' ? await sshEnvironment(access, namedBy) : undefined;
  return {
    location,
    namedBy,
    credentials,
    async run(args, more = {}) {
      try {
        return await runGit({
          args,
          env: access.env,
          protocols: PROTOCOLS[location.transport],
          ownConfig: namedBy === 'user',
          credentials,
          variables: env,
          signal: access.signal,
          ...more,
        });
      } catch (error) {
        throw explain(error, location, namedBy);
      }
    },
  };
}

/** Of the user's own repositories git knows how; a Dockerfile gets the agent that the user hands out, and no key. */
async function sshEnvironment(
  access: RemoteAccess,
  namedBy: NamedBy,
): Promise<Record<string, string> | undefined> {
  if (namedBy === 'user') return undefined;
  const agent = namedBy === 'dockerfile' ? await access.sshAgent() : undefined;
  if (agent === undefined) {
    throw new SlipwayError('denied', 'no SSH key "default" forwarded from the client', {
      code: 'GIT_SSH_NOT_GIVEN',
      hint: 'A Dockerfile uses your ssh keys only when you say so: --ssh default.',
    });
  }
  const command =
    access.env.GIT_SSH_COMMAND ?? 'ssh -F /dev/null -o BatchMode=yes -o IdentityFile=none -o ForwardAgent=no';
  return { SSH_AUTH_SOCK: agent, GIT_SSH_COMMAND: command };
}

function explain(error: unknown, location: GitLocation, namedBy: NamedBy): unknown {
  if (!(error instanceof GitFailure)) return error;
  const { stderr } = error;
  const denied =
    /could not read (?:Username|Password)|Authentication failed|Permission denied|returned error: 40[13]|Host key verification/i.test(
      stderr,
    );
  const missing = /not found|does not exist|does not appear to be a git repository/i.test(stderr);
  const kind = denied ? 'denied' : missing ? 'not-found' : 'unavailable';
  return new SlipwayError(kind, `failed to fetch remote ${redactUrl(location.remote)}: ${error.message}`, {
    code: 'GIT_FAILED',
    hint: hintFor(stderr, location, namedBy),
    cause: error,
  });
}

function hintFor(stderr: string, { host, transport }: GitLocation, namedBy: NamedBy): string | undefined {
  if (/Host key verification/i.test(stderr))
    return `Connect once with ssh, or add the host to ~/.ssh/known_hosts, so that its key is known.`;
  if (/cannot run ssh|ssh: No such file/i.test(stderr)) return 'Install the package openssh-client.';
  if (/dubious ownership/i.test(stderr))
    return 'It belongs to another user: git config --global --add safe.directory PATH.';
  if (/unable to update url base from redirection|returned error: 30\d/i.test(stderr))
    return 'The repository has moved; a header is sent to the address given and to no other. Use the new address.';
  if (!/could not read (?:Username|Password)|Authentication failed|returned error: 40[13]/i.test(stderr))
    return undefined;
  if (transport === 'ssh') return undefined;
  const scoped = namedBy === 'repository' ? `.${host}` : '';
  const own = namedBy === 'user' ? ', or set up a credential helper of git' : '';
  return `Give a token with --secret id=GIT_AUTH_TOKEN${scoped},env=NAME${own}.`;
}
