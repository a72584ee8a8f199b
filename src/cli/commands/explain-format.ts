import { SlipwayError } from '../../errors/index.ts';

/** How explanations are printed. */
export type ExplainFormat = 'text' | 'json';

export function isExplainFormat(text: string): text is ExplainFormat {
  return text === 'text' || text === 'json';
}

/** The error for another format. */
export function unknownFormat(text: string): SlipwayError {
  return new SlipwayError('usage', `unknown format ${JSON.stringify(text)} of an explanation`, {
    code: 'EXPLAIN_FORMAT',
    hint: 'Formats: text, json.',
  });
}
