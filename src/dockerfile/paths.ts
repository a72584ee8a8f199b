import { posix } from 'node:path';

/** Joins and cleans as Go's `path.Join`: no slash at the end, empty for nothing. */
export function joinPath(...parts: string[]): string {
  const joined = posix.join(...parts);
  return joined.length > 1 ? joined.replace(/\/+$/, '') || '/' : joined;
}

/** The working directory after `WORKDIR path` in `current` (empty for none): absolute and cleaned. */
export function resolveWorkdir(current: string, path: string): string {
  return joinPath('/', path.startsWith('/') ? '' : current, path);
}

/**
 * The destination of COPY and ADD: absolute and cleaned. What is written as a directory (a slash or `/.` at the
 * end, `.`, nothing) keeps one slash at its end.
 */
export function resolveDestination(workdir: string, destination: string): string {
  const isDirectory =
    destination === '' || destination === '.' || destination === '..' || /\/\.{0,2}$/.test(destination);
  const path = resolveWorkdir(workdir, destination);
  return isDirectory && path !== '/' ? `${path}/` : path;
}
