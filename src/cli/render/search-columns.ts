import type { SearchResult } from '../../engine/search.ts';
import { safeText } from '../../progress/safe-text.ts';
import type { ListKind } from './list-format.ts';

/** Letters of a description that a list shows. */
const DESCRIPTION_LENGTH = 45;

/** The columns of `docker search`. */
export const searchColumns: ListKind<SearchResult> = {
  typeName: '*formatter.searchContext',
  columns: [
    { name: 'Name', header: 'NAME', value: ({ name }) => safeText(name) },
    { name: 'Description', header: 'DESCRIPTION', value: ({ description }) => safeText(description) },
    { name: 'StarCount', header: 'STARS', value: ({ stars }) => String(stars) },
    { name: 'IsOfficial', header: 'OFFICIAL', value: ({ official }) => (official ? '[OK]' : '') },
    { name: 'IsAutomated', header: 'AUTOMATED', value: ({ automated }) => (automated ? '[OK]' : '') },
  ],
  table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
};

/** With its description on one line and cut. */
export function shortDescription(result: SearchResult): SearchResult {
  const letters = Array.from(result.description.replace(/[\r\n]+/g, ' '));
  if (letters.length <= DESCRIPTION_LENGTH) return { ...result, description: letters.join('') };
  return { ...result, description: `${letters.slice(0, DESCRIPTION_LENGTH - 1).join('')}…` };
}
