import type { ParseError } from './ast.ts';

/** An error whose instruction, and so whose `line`, the finder does not know. */
export type Problem = Omit<ParseError, 'line'>;
