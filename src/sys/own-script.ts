import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SlipwayError } from '../errors/index.ts';

/**
 * Path of a script of this installation that a process or thread is started with: the first of `names` that is there,
 * relative to the module `from` (a file URL). Sources, library output and bundle have it under different names.
 *
 * @throws SlipwayError `internal` with the given code when none is
 */
export function ownScript(
  from: string,
  names: readonly string[],
  missing: { what: string; code: string },
): string {
  for (const name of names) {
    const path = fileURLToPath(new URL(name, from));
    if (existsSync(path)) return path;
  }
  throw new SlipwayError('internal', `${missing.what} is missing from this installation`, {
    code: missing.code,
    hint: 'Run npm run build.',
  });
}
