import { SlipwayError } from '../errors/index.ts';

/** What runs containers; `auto` is the first that works here. */
export type RuntimeName = 'auto' | 'crun' | 'runc' | 'embedded';

const NAMES: readonly string[] = ['auto', 'crun', 'runc', 'embedded'] satisfies RuntimeName[];

/** Checks `--runtime`. Throws `usage`. */
export function runtimeName(text: string): RuntimeName {
  if (NAMES.includes(text)) return text as RuntimeName;
  throw new SlipwayError('usage', `unknown or invalid runtime name: ${text}`, {
    code: 'RUNTIME_INVALID',
    hint: `The runtimes are ${NAMES.join(', ')}.`,
  });
}
