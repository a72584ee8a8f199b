import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SlipwayError } from '../errors/index.ts';

/**
 * The absolute path of the store: the option, else SLIPWAY_ROOT, else /var/lib/slipway for root and the user's
 * data directory (XDG Base Directory Specification) for others. Throws `not-found` (`NO_HOME`).
 */
export function storeRoot(option: string | undefined, env: NodeJS.ProcessEnv): string {
  const named = option || env.SLIPWAY_ROOT;
  if (named) return resolve(named);
  if (process.getuid?.() === 0) return '/var/lib/slipway';
  const data = env.XDG_DATA_HOME;
  // The specification says that a relative path is to be ignored.
  return join(data?.startsWith('/') ? data : join(home(), '.local', 'share'), 'slipway');
}

function home(): string {
  try {
    return homedir();
  } catch (cause) {
    throw new SlipwayError('not-found', 'this user has no home: HOME is not set and there is no account', {
      code: 'NO_HOME',
      hint: 'Name a place for the store with --root or SLIPWAY_ROOT.',
      cause,
    });
  }
}
