import type { BytePath } from '../sys/bytes.ts';

/**
 * The order of layers and listings: a directory comes before what is in it, all of that before the next name, and
 * the names of one directory are sorted bytewise. (As if the slash were the smallest byte.)
 */
export function comparePaths(a: BytePath, b: BytePath): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === 47) return -1;
    if (y === 47) return 1;
    return x - y;
  }
  return a.length - b.length;
}

/**
 * The names that lead from the root to `path`: empty ones, `.`, and leading slashes dropped, `..` taken back
 * lexically and never above the root (as filepath.Clean joined to a root does).
 */
export function pathNames(path: BytePath): BytePath[] {
  const names: BytePath[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}

/** `path` without its last name; the empty string for names in the root. */
export function parentOf(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The last name of `path`. */
export function nameOf(path: BytePath): BytePath {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(directory: BytePath, name: BytePath): BytePath {
  return directory === '' ? name : `${directory}/${name}`;
}
