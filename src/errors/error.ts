import type { ErrorSubject } from './subject.ts';

/**
 * The closed set of reasons for which Slipway refuses or fails. Callers branch on the kind; people read the
 * message, the hint and the excerpt.
 *
 * - `usage`: the command line or an option of the library is wrong
 * - `syntax`: a Dockerfile, ignore file or reference cannot be parsed
 * - `invalid`: it parses and makes no sense (unknown stage, bad archive)
 * - `not-found`: a named image, file, stage or container does not exist
 * - `already-exists`: something is in the way
 * - `conflict`: the operation would take away what something else uses
 * - `denied`: permission or policy
 * - `unsupported`: this kernel, host or version of Slipway cannot do it
 * - `step-failed`: a process of the build exited with a failure
 * - `changed`: an input changed while it was being read
 * - `corrupt`: stored data is not what its digest says
 * - `exhausted`: disk, memory or a named limit
 * - `canceled`: the caller asked to stop
 * - `unavailable`: a program, service or host that is needed is not there
 * - `internal`: a defect of Slipway
 */
export type ErrorKind =
  | 'usage'
  | 'syntax'
  | 'invalid'
  | 'not-found'
  | 'already-exists'
  | 'conflict'
  | 'denied'
  | 'unsupported'
  | 'step-failed'
  | 'changed'
  | 'corrupt'
  | 'exhausted'
  | 'canceled'
  | 'unavailable'
  | 'internal';

/** A place in a source text. Lines and columns count from 1, columns and offsets in UTF-16 units; `end` is exclusive. */
export interface SourceRange {
  start: SourcePosition;
  end: SourcePosition;
}

export interface SourcePosition {
  offset: number;
  line: number;
  column: number;
}

/** Where in which file an error lies; `text` is the whole file, so that an excerpt can be shown. */
export interface ErrorLocation {
  file: string;
  text: string;
  range: SourceRange;
}

export interface ErrorDetails {
  /** Stable, upper snake case, for programs: `STAGE_NOT_FOUND`. */
  code: string;
  /** One sentence that says what to do about it. */
  hint?: string | undefined;
  cause?: unknown;
  location?: ErrorLocation | undefined;
  /** What of an instruction it is about, until that has become a location. */
  subject?: ErrorSubject | undefined;
  /** Exit code of the process that failed, for `step-failed`. */
  exitCode?: number | undefined;
}

/** The one error class of Slipway. Anything else that is thrown is a defect. */
export class SlipwayError extends Error {
  override readonly name = 'SlipwayError';
  readonly kind: ErrorKind;
  readonly code: string;
  readonly hint: string | undefined;
  readonly location: ErrorLocation | undefined;
  readonly subject: ErrorSubject | undefined;
  readonly exitCode: number | undefined;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.code = details.code;
    this.hint = details.hint;
    this.location = details.location;
    this.subject = details.subject;
    this.exitCode = details.exitCode;
  }

  /** What it was made with, for one that says more. */
  details(): ErrorDetails {
    const { code, hint, cause, location, subject, exitCode } = this;
    return { code, hint, cause, location, subject, exitCode };
  }
}

/** True for an error of Node's system calls with that `code` (`ENOENT`, …). */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
