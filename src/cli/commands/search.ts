import type { SearchResult } from '../../engine/search.ts';
import { SlipwayError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { type Filters, filterFlag, parseFilters } from '../filters.ts';
import { formatFlag, formatList } from '../render/list-format.ts';
import { searchColumns, shortDescription } from '../render/search-columns.ts';

const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 100;

/** `slipway search` */
export const search = defineCommand({
  usage: '[OPTIONS] TERM',
  flags: {
    ...filterFlag,
    ...formatFlag,
    limit: { type: 'int', usage: 'Max number of search results', default: String(DEFAULT_LIMIT) },
    'no-trunc': { type: 'bool', usage: "Don't truncate output" },
  },
  args: { least: 1, most: 1 },
  async run({ env, signal, stdout }, { values, args }) {
    const [term] = args as [string];
    const filters = parseFilters(values.filter, ['is-automated', 'is-official', 'stars']);
    const wanted = wantedBy(filters);
    const limit = values.limit || DEFAULT_LIMIT;
    if (limit < 1 || limit > MAX_LIMIT)
      throw new SlipwayError('usage', `limit ${limit} is outside the range of [1, ${MAX_LIMIT}]`, {
        code: 'SEARCH_LIMIT',
      });
    const { search } = await import('../../engine/search.ts');
    const found = (await search({ term, limit, env, signal })).filter(wanted);
    const rows = values['no-trunc'] ? found : found.map(shortDescription);
    stdout.write(formatList(rows, values.format || 'table', searchColumns));
    return 0;
  },
});

function wantedBy(filters: Filters): (result: SearchResult) => boolean {
  const stars = (filters.get('stars') ?? []).map((text) => {
    if (/^\d+$/.test(text)) return Number(text);
    throw invalid('stars', text);
  });
  const flag = (name: string): boolean | undefined => {
    const text = filters.get(name)?.at(-1);
    if (text === undefined) return undefined;
    if (/^(?:1|t|true)$/i.test(text)) return true;
    if (/^(?:0|f|false)$/i.test(text)) return false;
    throw invalid(name, text);
  };
  const official = flag('is-official');
  const automated = flag('is-automated');
  return (result) =>
    stars.every((least) => result.stars >= least) &&
    (official === undefined || result.official === official) &&
    (automated === undefined || result.automated === automated);
}

function invalid(name: string, text: string): SlipwayError {
  return new SlipwayError('usage', `invalid filter '${name}=[${text}]'`, { code: 'FILTER_INVALID' });
}
