import type { Instruction } from '../../grammar/ast.ts';
import { subjectRange } from '../dockerfile/subject-range.ts';
import { type ErrorDetails, type ErrorKind, SlipwayError, type SourceRange } from '../errors/index.ts';

/** The text that errors point into. */
export interface SourceText {
  file: string;
  text: string;
}

/** An error at a place of the Dockerfile. */
export function errorAt(
  source: SourceText,
  range: SourceRange,
  error: Omit<ErrorDetails, 'location'> & { kind: ErrorKind; message: string },
): SlipwayError {
  const { kind, message, ...details } = error;
  return new SlipwayError(kind, message, {
    ...details,
    location: { file: source.file, text: source.text, range },
  });
}

/** Where an error is shown that says nothing better. */
export interface Place {
  range: SourceRange;
  /** Its parts are the places of errors that are about one. What a trigger brings has no place in the file. */
  instruction?: Instruction;
  isTrigger?: boolean;
  prefix?: string;
  hint?: string | undefined;
}

/**
 * Runs `action`; an error of Slipway without a place gets the one given, `prefix` before its text, and `hint` instead
 * of its own. Others pass.
 */
export function locating<T>(source: SourceText, place: Place, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.location !== undefined) throw error;
    const { instruction, isTrigger = false } = place;
    const part =
      instruction === undefined || error.subject === undefined || isTrigger
        ? undefined
        : subjectRange(instruction, error.subject, source.text);
    throw errorAt(source, part ?? place.range, {
      ...error.details(),
      kind: error.kind,
      message: `${place.prefix ?? ''}${error.message}`,
      hint: place.hint ?? error.hint,
    });
  }
}
