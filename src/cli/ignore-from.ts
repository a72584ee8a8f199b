import type { IgnoreFrom } from '../context/directory-context.ts';
import { goQuote } from '../dockerfile/go-text.ts';
import { SlipwayError } from '../errors/index.ts';

/** The value of `--ignore-from`; empty is none. Throws `usage` for what is not known. */
export function ignoreFrom(text: string): IgnoreFrom | undefined {
  if (text === '') return undefined;
  if (text === 'gitignore') return text;
  throw new SlipwayError('usage', `ignore rules from ${goQuote(text)} are not known`, {
    code: 'IGNORE_FROM_INVALID',
    hint: 'Write --ignore-from=gitignore, or leave it out.',
  });
}
