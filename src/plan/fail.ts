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

/**
 * Runs `action`; an error of Slipway without a place gets the one given, `prefix` before its text, and `hint` instead
 * of its own. Others pass.
 */
export function locating<T>(
  source: SourceText,
  place: { range: SourceRange; prefix?: string; hint?: string | undefined },
  action: () => T,
): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.location !== undefined) throw error;
    throw errorAt(source, place.range, {
      kind: error.kind,
      message: `${place.prefix ?? ''}${error.message}`,
      code: error.code,
      hint: place.hint ?? error.hint,
      cause: error.cause,
    });
  }
}
