import { readFileSync } from 'node:fs';
import { SlipwayError } from '../errors/index.ts';

/**
 * The `KEY=VALUE` lines of files of build arguments, in the order of the files (buildah's `--build-arg-file`): lines
 * that begin with # and blank ones are left out. Throws `invalid`, code BUILD_ARG_FILE.
 */
export function readBuildArgFiles(paths: readonly string[]): string[] {
  return paths.flatMap(readBuildArgs);
}

function readBuildArgs(path: string): string[] {
  return textOf(path)
    .split(/\r?\n/)
    .flatMap((line, index) => {
      const text = line.trimStart();
      if (text === '' || text.startsWith('#')) return [];
      if (text.indexOf('=') > 0) return [text];
      throw invalid(`invalid build argument in ${path}, line ${index + 1}: expected key=value, got ${text}`);
    });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`the file of build arguments ${path} cannot be read: ${why}`, cause);
  }
}

function invalid(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', message, { code: 'BUILD_ARG_FILE', cause });
}
