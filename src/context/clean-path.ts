import path from 'node:path';
import type { BytePath } from '../sys/bytes.ts';

/**
 * Go's `filepath.Clean` for slash-separated paths: `./a`, `a//b`, `a/../b` and trailing slashes go; the empty path
 * is `.`. Works on text and on bytes alike.
 */
export function cleanPath(value: string): string {
  const normal = path.posix.normalize(value);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/**
 * A path as an instruction names it, clamped to the root of its tree (SPEC C7): `../x`, `/x` and `./x/` all give
 * `x`; the root itself gives the empty string.
 */
export function clampPath(value: string): string {
  return cleanPath(`/${value}`).slice(1);
}

/** `dir/name`, where the root directory is the empty string. */
export function joinPath(directory: BytePath, name: BytePath): BytePath {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Last element of a path; empty for the root. */
export function baseName(value: BytePath): BytePath {
  return value.slice(value.lastIndexOf('/') + 1);
}

/** Path of the directory that holds a name; empty for names in the root. */
export function parentOf(value: BytePath): BytePath {
  const slash = value.lastIndexOf('/');
  return slash < 0 ? '' : value.slice(0, slash);
}
