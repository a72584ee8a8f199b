import { SlipwayError } from '../errors/index.ts';

/** `none` is for a container's root who can make no namespaces. */
export type IsolationChoice = 'auto' | 'none';

/** Checks `--isolation`; undefined when it was not given. Throws `usage`. */
export function isolationChoice(text: string): IsolationChoice | undefined {
  // Docker's words for what it does on Linux.
  if (text === '') return undefined;
  if (text === 'default') return 'auto';
  if (text === 'auto' || text === 'none') return text;
  throw new SlipwayError('usage', `unknown or invalid isolation: ${text}`, {
    code: 'ISOLATION_INVALID',
    hint: 'The isolations are auto and none.',
  });
}
