import { SlipwayError } from '../errors/index.ts';

/** Values of `--filter` by their names, each in the order given. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** Help of the flag, in Docker's words. */
export const filterFlag = {
  filter: {
    type: 'list',
    short: 'f',
    valueName: 'filter',
    usage: 'Filter output based on conditions provided',
  },
} as const;

/**
 * Takes `name=value` texts apart.
 *
 * @throws SlipwayError `FILTER_FORMAT` for a text without `=`, `FILTER_UNKNOWN` for a name that is not in `known`,
 * both in Docker's words.
 */
export function parseFilters(texts: readonly string[], known: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  for (const text of texts) {
    if (text.trim() === '') continue;
    const equals = text.indexOf('=');
    if (equals < 0) {
      throw new SlipwayError(
        'usage',
        `invalid argument "${text}" for "--filter" flag: bad format of filter (expected name=value)`,
        { code: 'FILTER_FORMAT' },
      );
    }
    const name = text.slice(0, equals).trim().toLowerCase();
    if (!known.includes(name)) {
      throw new SlipwayError('usage', `invalid filter '${name}'`, {
        code: 'FILTER_UNKNOWN',
        hint: `Filters: ${known.join(', ')}.`,
      });
    }
    const values = filters.get(name) ?? [];
    values.push(text.slice(equals + 1).trim());
    filters.set(name, values);
  }
  return filters;
}
