import { SlipwayError } from '../errors/index.ts';

/** Values of `--filter` by their names, each in the order given. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** Docker's flag: what is no `name=value` is found with the flags. */
export const filterFlag = {
  filter: {
    type: 'list',
    short: 'f',
    valueName: 'filter',
    usage: 'Filter output based on conditions provided',
    check(text: string) {
      if (text !== '' && !text.includes('=')) throw new Error('bad format of filter (expected name=value)');
    },
  },
} as const;

/**
 * Takes `name=value` texts apart.
 *
 * @throws SlipwayError `FILTER_UNKNOWN` for a name that is not in `known`, in Docker's words.
 */
export function parseFilters(texts: readonly string[], known: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  for (const text of texts.filter((one) => one !== '')) {
    const equals = text.indexOf('=');
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
