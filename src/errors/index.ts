export type { ErrorDetails, ErrorKind, ErrorLocation, SourcePosition, SourceRange } from './error.ts';
export { isErrno, SlipwayError } from './error.ts';
