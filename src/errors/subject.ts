import { SlipwayError } from './error.ts';

/** The part of a Dockerfile instruction that an error is about; its place is found in the instruction itself. */
export type ErrorSubject =
  /** A flag of that name; `index` tells those apart that may be given several times, from 0. */
  | { part: 'flag'; name: string; index?: number; field?: string }
  /** A source of COPY or ADD, here-documents not counted, or a word of VOLUME; from 0. */
  | { part: 'word'; index: number }
  /** The value of USER, WORKDIR and the like, the destination of COPY or ADD, the program of a JSON form. */
  | { part: 'argument' }
  /** The USER that holds for the instruction. */
  | { part: 'user' };

/**
 * The same error with a subject, which `subject` makes of the one it has; anything that is no error of Slipway, or has a
 * place already, is given back as it is.
 */
export function about(error: unknown, subject: (known: ErrorSubject | undefined) => ErrorSubject): unknown {
  if (!(error instanceof SlipwayError) || error.location !== undefined) return error;
  return new SlipwayError(error.kind, error.message, { ...error.details(), subject: subject(error.subject) });
}

/** Runs `action`; its errors are about the flag of that name which is `index`th of its kind, or a field of it. */
export function aboutFlag<T>(name: string, index: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw about(error, (known) => {
      const field = known?.part === 'flag' ? known.field : undefined;
      return { part: 'flag', name, index, ...(field === undefined ? {} : { field }) };
    });
  }
}
