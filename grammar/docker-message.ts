import type { ParseError, ParseErrorCode } from './ast.ts';

/** Errors that Docker finds before it looks at instructions one by one, or at the file as a whole: without prefix. */
const bareCodes: ReadonlySet<ParseErrorCode> = new Set<ParseErrorCode>([
  'EMPTY_FILE',
  'NO_INSTRUCTIONS',
  'NO_STAGES',
  'NO_BUILD_STAGE',
  'LINE_TOO_LONG',
  'DUPLICATE_DIRECTIVE',
  'INVALID_ESCAPE',
  'MISSING_EQUALS',
  'MISSING_SECOND_ARGUMENT',
  'JSON_NOT_STRINGS',
  'UNTERMINATED_HEREDOC',
]);

/** True for errors that stand in the way of reading the file at all, in an ONBUILD trigger too. */
export function isReaderError(code: ParseErrorCode): boolean {
  return bareCodes.has(code);
}

/**
 * An error as `docker build` words it behind "failed to solve: ": with the line prefix where Docker sets one, and with
 * the suggestion.
 */
export function toDockerMessage(error: ParseError): string {
  const suggestion = error.suggestion === undefined ? '' : ` (did you mean ${error.suggestion}?)`;
  const prefix = bareCodes.has(error.code) ? '' : `dockerfile parse error on line ${error.line}: `;
  return `${prefix}${error.message}${suggestion}`;
}
