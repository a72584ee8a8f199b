import { SlipwayError } from '../errors/index.ts';

/** An error in a template's text, in Docker's words: `template parsing error: template: :1: unclosed action`. */
export function parseError(line: number, problem: string): SlipwayError {
  return new SlipwayError('usage', `template parsing error: template: :${line}: ${problem}`, {
    code: 'TEMPLATE_SYNTAX',
  });
}
