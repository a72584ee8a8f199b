import { firstSecret, type RemoteAccess } from '../remote-access.ts';
import type { GitLocation } from './git-location.ts';
import type { GitCredentials } from './git-program.ts';

/** Prints what git asks a helper for (gitcredentials(7)); the words themselves come through the environment. */
const HELPER =
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$SLIPWAY_GIT_USER" "$SLIPWAY_GIT_PASSWORD"; }; f';

/**
 * What lets git into a repository beside the user's own ways: user name and password of the URL, else the first of the
 * secrets GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST, GIT_AUTH_HEADER, GIT_AUTH_TOKEN (SPEC 1.12 A8). They are valid for
 * the host alone: a helper is asked anew by git after a redirect, and with a header redirects are not followed.
 *
 * @param unscoped false for a host that neither user nor Dockerfile named: only its own secrets are used
 */
export async function gitCredentials(
  location: GitLocation,
  access: RemoteAccess,
  { unscoped }: { unscoped: boolean },
): Promise<GitCredentials | undefined> {
  const { transport, host, userinfo } = location;
  if (transport !== 'https' && transport !== 'http') return undefined;
  const scope = `${transport}://${host}`;
  if (userinfo !== undefined) {
    const [user, ...rest] = userinfo.split(':');
    return byHelper(scope, decodeURIComponent(user ?? ''), decodeURIComponent(rest.join(':')));
  }
  const hostname = host.replace(/:\d+$/, '');
  const names = [...new Set([host, hostname])].flatMap((name) => [
    `GIT_AUTH_HEADER.${name}`,
    `GIT_AUTH_TOKEN.${name}`,
  ]);
  const found = await firstSecret(access, [
    ...names,
    ...(unscoped ? ['GIT_AUTH_HEADER', 'GIT_AUTH_TOKEN'] : []),
  ]);
  if (found === undefined) return undefined;
  if (found.id.startsWith('GIT_AUTH_TOKEN')) return byHelper(scope, 'x-access-token', found.value);
  return {
    config: [
      [`http.${scope}/.extraHeader`, `Authorization: ${found.value}`],
      [`http.${scope}/.followRedirects`, 'false'],
    ],
    env: {},
    secrets: [found.value, ...found.value.split(' ').slice(1)],
  };
}

function byHelper(scope: string, user: string, password: string): GitCredentials {
  return {
    // The empty one makes git forget those of the user, who would be asked first.
    config: [
      [`credential.${scope}.helper`, ''],
      [`credential.${scope}.helper`, HELPER],
    ],
    env: { SLIPWAY_GIT_USER: user, SLIPWAY_GIT_PASSWORD: password },
    secrets: [user === 'x-access-token' ? '' : user, password],
  };
}
