import { SlipwayError } from '../errors/index.ts';
import { execHint } from './exec-hint.ts';
import type { ContainerSpec } from './types.ts';

const [EPERM, ENOENT, ENOEXEC, EACCES, ENOTDIR, ELOOP] = [1, 2, 8, 13, 20, 40];

const PROGRAM = { part: 'argument' } as const;

/** The errors of the program that is to run, the same for every runtime. */
export function executeError(errno: number, reason: string, spec: ContainerSpec): SlipwayError {
  const program = JSON.stringify(spec.args[0]);
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
      return new SlipwayError('step-failed', `exec: ${program}: executable file not found in $PATH`, {
        code: 'EXEC_NOT_FOUND',
        subject: PROGRAM,
        exitCode: 127,
        hint:
          execHint(spec) ??
          'If the file is there, the interpreter that it names (its #! line or its loader) is not.',
      });
    case EACCES:
    case EPERM:
      return new SlipwayError('step-failed', `exec: ${program}: permission denied`, {
        code: 'EXEC_DENIED',
        subject: PROGRAM,
        exitCode: 126,
        hint: 'The file is not marked executable for this user, or lies on a noexec mount.',
      });
    case ENOEXEC:
      return new SlipwayError('step-failed', `exec: ${program}: exec format error`, {
        code: 'EXEC_FORMAT',
        subject: PROGRAM,
        exitCode: 126,
        hint: execHint(spec) ?? 'It is a script without a #! line, or a program for another architecture.',
      });
    default:
      return new SlipwayError('step-failed', `exec: ${program}: ${reason}`, {
        code: 'EXEC_FAILED',
        subject: PROGRAM,
        exitCode: 126,
      });
  }
}
