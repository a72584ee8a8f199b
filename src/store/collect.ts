import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import type { Garbage } from './garbage.ts';
import { layerDirectory, overridesPath } from './layout.ts';

export interface DeleteOptions {
  /** Looked at between files; stops the work, what is left is found again later. */
  aborted?: () => boolean;
}

const FOLDERS = /^(?:tmp|active|layers)\/[^/]+$/;

/**
 * The worker's half of the collector: deletes layer directories and strays under the store `root`. What is gone
 * already is no error. Returns the number of names removed.
 *
 * Nothing outside `root` is touched: symbolic links are removed, never followed.
 */
export function deleteGarbage(
  root: string,
  garbage: Garbage,
  options: DeleteOptions = {},
): { removed: number } {
  let removed = 0;
  for (const id of garbage.layers) {
    removed += deleteTree(layerDirectory(root, id), options);
    rmSync(overridesPath(root, id), { force: true });
  }
  for (const stray of garbage.strays) {
    const path = join(root, stray);
    if (!FOLDERS.test(stray) || !path.startsWith(resolve(root) + sep)) {
      throw new SlipwayError('internal', `not a stray of the store: ${stray}`, {
        code: 'STORE_NAME_INVALID',
      });
    }
    removed += deleteTree(path, options);
  }
  return { removed };
}

/** How deep directories are opened one inside the other; deeper ones are moved to the top first. */
const MAX_DEPTH = 64;

/**
 * Deletes a file or a directory with all it holds; returns how many names went. Works on open directories, so that
 * a directory swapped for a link under it is not followed and no path is too long.
 */
export function deleteTree(path: string | Buffer, options: DeleteOptions = {}): number {
  if (unlinkUnlessDirectory(path)) return 1;
  let removed = 0;
  const top = openDirectory(path);
  if (top === undefined) return 0;
  try {
    // Whoever adds names meanwhile is dead or about to be; more rounds than this would be a loop.
    for (let round = 0; round < 1000; round++) {
      const count = emptyDirectory(top, { top, options, depth: 0 });
      removed += count;
      if (count === 0) break;
    }
  } finally {
    closeSync(top);
  }
  removeEmptied(path);
  return removed + 1;
}

interface Walk {
  /** The open directory at the top of the tree. */
  top: number;
  depth: number;
  options: DeleteOptions;
}

let moved = 0;

function emptyDirectory(fd: number, walk: Walk): number {
  if (walk.options.aborted?.() === true) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
  const here = Buffer.from(`/proc/self/fd/${fd}/`);
  let removed = 0;
  for (const name of readdirSync(here, 'buffer')) {
    removed++;
    const child = Buffer.concat([here, name]);
    if (unlinkUnlessDirectory(child)) continue;
    if (walk.depth >= MAX_DEPTH) {
      ifThere(() => renameSync(child, `/proc/self/fd/${walk.top}/.moved-${process.pid}-${moved++}`));
      continue;
    }
    const inside = openDirectory(child);
    if (inside === undefined) continue;
    try {
      removed += emptyDirectory(inside, { ...walk, depth: walk.depth + 1 });
    } finally {
      closeSync(inside);
    }
    removeEmptied(child);
  }
  return removed;
}

/** False for a directory; true when the name is gone. */
function unlinkUnlessDirectory(path: string | Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EISDIR')) return false;
    throw error;
  }
}

function openDirectory(path: string | Buffer): number | undefined {
  return ifThere(() => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW));
}

/** What a dying process has just added stays, and is a stray that the next collection finds. */
function removeEmptied(path: string | Buffer): void {
  try {
    ifThere(() => rmdirSync(path));
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY')) throw error;
  }
}

/** Another collector may be at the same directory. */
function ifThere<Result>(body: () => Result): Result | undefined {
  try {
    return body();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
