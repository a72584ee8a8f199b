import { goQuote } from '../dockerfile/go-text.ts';
import { SlipwayError } from '../errors/index.ts';

/**
 * `key=value` texts in their order, the last of a key counts. A key alone takes its value from `env` and is left out
 * where that has none; without `env` its value is empty. Throws `usage` with Docker's words for an empty key.
 */
export function keyValues(
  texts: readonly string[],
  options: { env?: NodeJS.ProcessEnv } = {},
): Record<string, string> {
  const pairs = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    const key = equals < 0 ? text : text.slice(0, equals);
    if (key === '') {
      throw new SlipwayError('usage', `invalid key-value pair ${goQuote(text)}: empty key`, {
        code: 'EMPTY_KEY',
      });
    }
    const value = equals >= 0 ? text.slice(equals + 1) : options.env === undefined ? '' : options.env[key];
    if (value === undefined) pairs.delete(key);
    else pairs.set(key, value);
  }
  return Object.fromEntries(pairs);
}
