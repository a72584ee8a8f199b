import { readdirSync } from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import { type BytePath, bytesOf } from '../sys/bytes.ts';
import { clampPath } from './clean-path.ts';
import type { FileTree } from './file-tree.ts';
import { readSmallFile } from './read-file.ts';
import { resolvePath } from './resolve-path.ts';
import { distance } from './source-not-found.ts';

/** A Dockerfile beyond this is a mistake. */
export const DOCKERFILE_LIMIT = 16 << 20;

/** Names that are looked for when none is given, in this order (SPEC I14). */
const DEFAULT_NAMES = ['Dockerfile', 'dockerfile'];

/** A Dockerfile's bytes and where they come from. */
export interface DockerfileFile {
  /** For messages: the path as given, `Dockerfile`, or `-` for standard input. */
  name: string;
  /** Absolute path, when it is a file of this machine. */
  path: string | undefined;
  content: Buffer;
}

/**
 * Finds and reads the Dockerfile of a local context: the file given (relative to `cwd`, inside the context or not),
 * else `Dockerfile`, else `dockerfile` in the context's root.
 *
 * @throws SlipwayError `not-found` DOCKERFILE_NOT_FOUND, `invalid` NOT_A_REGULAR_FILE, `exhausted` FILE_TOO_LARGE
 */
export function readDockerfile(options: {
  root: string;
  file: string | undefined;
  cwd: string;
}): DockerfileFile {
  const { root, file, cwd } = options;
  const candidates =
    file === undefined ? DEFAULT_NAMES.map((name) => path.join(root, name)) : [path.resolve(cwd, file)];
  for (const candidate of candidates) {
    const content = read(bytesOf(candidate));
    if (content !== undefined) return { name: file ?? path.basename(candidate), path: candidate, content };
  }
  throw notFound(file, localHint({ root, file, cwd }));
}

/** Names that may have been meant: like the one given, or any that speaks of a Dockerfile. */
function localHint({ root, file, cwd }: { root: string; file: string | undefined; cwd: string }): string {
  const directory = file === undefined ? root : path.dirname(path.resolve(cwd, file));
  const wanted = path.basename(file ?? 'Dockerfile').toLowerCase();
  const near = namesIn(directory).filter((name) => {
    const lower = name.toLowerCase();
    if (lower.endsWith('.dockerignore')) return false;
    return distance(lower, wanted) <= 2 || (file === undefined && /dockerfile|containerfile/.test(lower));
  });
  const found = near.slice(0, 3).map((name) => path.join(file === undefined ? '' : path.dirname(file), name));
  if (found.length > 0) return `Did you mean -f ${found.join(' or -f ')}?`;
  return file === undefined
    ? `There is none in ${root}; name one with -f.`
    : '-f is relative to the working directory, not to the context.';
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/**
 * The same for a context that came from elsewhere (an archive): names are relative to its root, and symbolic links
 * cannot lead out of it.
 */
export function readDockerfileInside(options: {
  root: string;
  tree: FileTree;
  file: string | undefined;
}): DockerfileFile {
  const { root, tree, file } = options;
  for (const name of file === undefined ? DEFAULT_NAMES : [file]) {
    const found = resolvePath(tree, clampPath(bytesOf(name)), { final: true });
    if (found.node === undefined) continue;
    const content = read(`${bytesOf(root)}/${found.path}`);
    if (content !== undefined) return { name, path: path.join(root, name), content };
  }
  throw notFound(file, 'The context holds no such file; -f is relative to its root.');
}

function read(file: BytePath): Buffer | undefined {
  return readSmallFile(file, { what: 'Dockerfile', limit: DOCKERFILE_LIMIT });
}

function notFound(file: string | undefined, hint: string | undefined): SlipwayError {
  const name = file ?? 'Dockerfile';
  return new SlipwayError('not-found', `failed to read dockerfile: open ${name}: no such file or directory`, {
    code: 'DOCKERFILE_NOT_FOUND',
    hint,
  });
}
