import { SlipwayError } from '../errors/index.ts';
import { defaultPath } from './standard-files.ts';
import type { ContainerSpec } from './types.ts';

/** Where `args[0]` may lie: itself if it has a slash, else below each directory of PATH. Never empty. */
export function executableCandidates({ args, env }: ContainerSpec): string[] {
  const program = args[0];
  if (program === undefined || program === '') {
    throw new SlipwayError('invalid', 'there is no program to execute', { code: 'EXEC_EMPTY' });
  }
  if (program.includes('/')) return [program];
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? defaultPath;
  // An empty or relative entry would mean the working directory: not a place to take programs from.
  const directories = path.split(':').filter((directory) => directory.startsWith('/'));
  if (directories.length === 0) return [`/${program}`];
  return directories.map((directory) => `${directory.replace(/\/+$/, '')}/${program}`);
}
