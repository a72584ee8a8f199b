import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import type { Output } from './types.ts';

/** An output while it is written. One of `commit` and `discard` must be called. */
export interface OpenOutput {
  write(bytes: Uint8Array): void;
  /** Gives the file its name. */
  commit(): void;
  /** Removes what was written, where that can be. */
  discard(): void;
}

/**
 * Opens an output. A file is written beside its place under a temporary name, mode 0600; what is there and is no
 * ordinary file (a FIFO, /dev/null) is written to directly.
 *
 * @throws SlipwayError `OUTPUT_INVALID`, from `write` also `DISK_FULL` and `OUTPUT_CLOSED` (the reader is gone).
 */
function openOutput(output: Output): OpenOutput {
  if (output.kind === 'fd') {
    const { fd } = output;
    return { write: (bytes) => writeFully(fd, bytes), commit: () => {}, discard: () => {} };
  }
  const path = targetOf(output.path);
  return isSpecial(path) ? openSpecial(path) : openFile(path);
}

function openSpecial(path: string): OpenOutput {
  const fd = wrap(path, () => openSync(path, constants.O_WRONLY));
  const close = () => closeSync(fd);
  return { write: (bytes) => writeFully(fd, bytes), commit: close, discard: close };
}

function openFile(path: string): OpenOutput {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  const fd = wrap(path, () => openSync(temporary, 'wx', 0o600));
  return {
    write: (bytes) => writeFully(fd, bytes),
    commit: () => {
      closeSync(fd);
      try {
        wrap(path, () => renameSync(temporary, path));
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
    },
    discard: () => {
      closeSync(fd);
      rmSync(temporary, { force: true });
    },
  };
}

/** Runs `body` with an open output; whatever it throws, nothing half-written keeps the name. */
export async function withOutput<Result>(
  output: Output,
  body: (out: OpenOutput) => Promise<Result>,
): Promise<Result> {
  const out = openOutput(output);
  let result: Result;
  try {
    result = await body(out);
  } catch (error) {
    out.discard();
    throw error;
  }
  out.commit();
  return result;
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Writes all bytes, waiting where the other end of a non-blocking pipe is slow. */
export function writeFully(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      if (!isErrno(error, 'EAGAIN')) throw explain(error);
      // Somebody else made the shared pipe non-blocking; a pipe of 64 KiB drains in less than this.
      Atomics.wait(sleeper, 0, 0, 2);
    }
  }
}

/** A link to a file is written through, as `docker save -o` does. */
function targetOf(path: string): string {
  try {
    return lstatSync(path).isSymbolicLink() ? realpathSync(path) : path;
  } catch {
    return path;
  }
}

function isSpecial(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) throw invalid(path, 'it is a directory');
  return stat !== undefined && !stat.isFile();
}

function wrap<Result>(path: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (isErrno(error, 'ENOENT'))
      throw invalid(path, `directory ${JSON.stringify(dirname(path))} does not exist`, error);
    if (isErrno(error, 'ENOTDIR'))
      throw invalid(path, `${JSON.stringify(dirname(path))} is not a directory`, error);
    throw isErrno(error, 'ENOSPC') ? explain(error) : invalid(path, (error as Error).message, error);
  }
}

/** Errors of writing that people meet, in their words. */
export function explain(error: unknown): unknown {
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new SlipwayError('exhausted', 'no space left on the disk for the output', {
      code: 'DISK_FULL',
      cause: error,
    });
  }
  if (isErrno(error, 'EPIPE')) {
    return new SlipwayError('unavailable', 'the reader of the output is gone', {
      code: 'OUTPUT_CLOSED',
      cause: error,
    });
  }
  return error;
}

function invalid(path: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', `invalid output path ${JSON.stringify(path)}: ${why}`, {
    code: 'OUTPUT_INVALID',
    cause,
  });
}
