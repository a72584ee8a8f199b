import { readdirSync, readFileSync } from 'node:fs';
import { isErrno, SlipwayError } from '../../errors/index.ts';

/** A file's text; undefined when it is not there. Throws `REGISTRY_CONFIG` when it cannot be read. */
export function readOptional(path: string): string | undefined {
  return optional(path, () => readFileSync(path, 'utf8'));
}

/** Names in a directory, sorted; none when it is not there. Errors as `readOptional`. */
export function listOptional(path: string): string[] {
  return optional(path, () => readdirSync(path).sort()) ?? [];
}

/** An error about a file that says how registries are reached. */
export function badConfig(path: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', `the configuration of registries ${path} cannot be used: ${why}`, {
    code: 'REGISTRY_CONFIG',
    cause,
  });
}

function optional<Result>(path: string, read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw badConfig(path, (error as Error).message, error);
  }
}
