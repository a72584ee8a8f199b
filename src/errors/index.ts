export type { ErrorDetails, ErrorKind, ErrorLocation, SourcePosition, SourceRange } from './error.ts';
export { isErrno, SlipwayError } from './error.ts';
export { excerpt } from './excerpt.ts';
