import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isErrno } from '../errors/index.ts';
import { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';

const HEAD_BYTES = 256;

/** Gives `body` a reader of the beginnings of files inside a root file system. */
export function withHeads<T>(rootfs: string, body: (head: (path: string) => string | undefined) => T): T {
  const root = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    return body((path) => readHead(root, path));
  } finally {
    closeSync(root);
  }
}

/** The first 256 bytes of a regular file inside a directory, latin1; undefined if there is none. */
function readHead(root: number, path: string): string | undefined {
  let file: number;
  try {
    file = loadSys().openat2(root, path, {
      flags: constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP')) return undefined;
    throw error;
  }
  try {
    if (!fstatSync(file).isFile()) return undefined;
    const head = Buffer.alloc(HEAD_BYTES);
    return head.toString('latin1', 0, readSync(file, head));
  } finally {
    closeSync(file);
  }
}
