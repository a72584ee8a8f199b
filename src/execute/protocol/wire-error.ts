import { type ErrorKind, SlipwayError } from '../../errors/index.ts';
import type { WireError } from './frames.ts';

/** Any thrown value to its form on the wire. A defect keeps its stack, for `--debug`. */
export function toWireError(error: unknown): WireError {
  if (error instanceof SlipwayError) {
    return {
      slipway: true,
      kind: error.kind,
      code: error.code,
      message: error.message,
      hint: error.hint,
      subject: error.subject,
      exitCode: error.exitCode,
    };
  }
  const { code } = error as NodeJS.ErrnoException;
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return {
      slipway: true,
      kind: 'exhausted',
      code: 'NO_SPACE',
      message: `no space left on the device that holds the store (${message})`,
      hint: 'Free some space, or move the store with --root.',
      stack,
    };
  }
  return { slipway: false, kind: 'internal', code: code ?? 'WORKER_DEFECT', message, stack };
}

/** The error as it was thrown on the other side. */
export function fromWireError(wire: WireError): SlipwayError {
  const error = new SlipwayError(wire.kind as ErrorKind, wire.message, {
    code: wire.code,
    hint: wire.hint,
    subject: wire.subject,
    exitCode: wire.exitCode,
  });
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}
