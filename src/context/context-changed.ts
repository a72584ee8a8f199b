import { SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';

/** A file or directory of the build context is not what it was a moment ago. */
export function contextChanged(path: BytePath, cause?: unknown): SlipwayError {
  return new SlipwayError('changed', `"/${textOf(path)}" changed while the build context was read`, {
    code: 'CONTEXT_CHANGED',
    hint: 'Let the other program finish, then build again.',
    cause,
  });
}

/** Something that an instruction wants, or the directory it is in, is closed to this user. */
export function contextUnreadable(path: BytePath, cause: unknown): SlipwayError {
  return new SlipwayError('denied', `cannot read "/${textOf(path)}" of the build context`, {
    code: 'CONTEXT_UNREADABLE',
    hint: 'Make it readable, or hide it with a line in the ignore file.',
    cause,
  });
}
