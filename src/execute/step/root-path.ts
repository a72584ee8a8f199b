import { lstatSync, mkdirSync, readlinkSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { type BytePath, bufferOf, textOf } from '../../sys/bytes.ts';

/** As many links as the kernel follows (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** A path inside a root file system with every link resolved, as far as it exists. */
export interface ResolvedPath {
  /** Real components from the root down that exist. */
  existing: BytePath[];
  /** The rest, which does not exist. Empty when all of it does. */
  missing: BytePath[];
}

/**
 * Resolves `path` inside `root`, component by component, as if `root` were `/`: absolute links start again at it,
 * `..` stops at it. Nothing may change the tree meanwhile (a snapshot that no process runs in).
 *
 * Throws `invalid` for a link loop and for a file where a directory is needed.
 */
export function resolveInRoot(root: BytePath, path: BytePath): ResolvedPath {
  const existing: BytePath[] = [];
  const rest = path.split('/').reverse();
  let links = 0;
  while (rest.length > 0) {
    const name = rest.pop()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      existing.pop();
      continue;
    }
    const full = joinRoot(root, [...existing, name]);
    const stat = lstatSync(bufferOf(full), { throwIfNoEntry: false });
    if (stat === undefined) return { existing, missing: cleanMissing([name, ...rest.reverse()]) };
    if (stat.isSymbolicLink()) {
      if (++links > MAX_LINKS) throw refused(path, 'too many symbolic links', 'LINK_LOOP');
      const target = readlinkSync(bufferOf(full), { encoding: 'latin1' });
      if (target.startsWith('/')) existing.length = 0;
      rest.push(...target.split('/').reverse());
      continue;
    }
    existing.push(name);
    if (!stat.isDirectory() && rest.some((part) => part !== '' && part !== '.')) {
      throw refused(path, `${textOf(`/${existing.join('/')}`)} is not a directory`, 'NOT_A_DIRECTORY');
    }
  }
  return { existing, missing: [] };
}

/** Absolute path of components below a root. */
export function joinRoot(root: BytePath, parts: BytePath[]): BytePath {
  return parts.length === 0 ? root : `${root}/${parts.join('/')}`;
}

/**
 * Makes a directory inside a root with all missing parents, links followed inside it.
 *
 * `onCreate` sets owner and mode of each one made, outermost first. Returns the real absolute path.
 */
export function ensureDirectory(
  root: BytePath,
  path: BytePath,
  onCreate: (created: BytePath) => void = () => {},
): BytePath {
  const { existing, missing } = resolveInRoot(root, path);
  let current = joinRoot(root, existing);
  if (missing.length === 0) {
    if (!lstatSync(bufferOf(current)).isDirectory()) {
      throw refused(path, `${textOf(`/${existing.join('/')}`)} is not a directory`, 'NOT_A_DIRECTORY');
    }
    return current;
  }
  for (const name of missing) {
    current = `${current}/${name}`;
    mkdirSync(bufferOf(current), { mode: 0o755 });
    onCreate(current);
  }
  return current;
}

/** What does not exist holds no links: `..` is plain text there. */
function cleanMissing(parts: BytePath[]): BytePath[] {
  const clean: BytePath[] = [];
  for (const part of parts) {
    if (part === '' || part === '.') continue;
    if (part === '..') clean.pop();
    else clean.push(part);
  }
  return clean;
}

function refused(path: BytePath, why: string, code: string): SlipwayError {
  return new SlipwayError('invalid', `cannot use ${textOf(path) || '/'}: ${why}`, { code });
}
