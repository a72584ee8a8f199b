import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { isErrno } from '../errors/index.ts';
import { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';

/** Where a descriptor lies below a root directory, as an absolute path without links. Both are descriptors. */
export function pathBelow(root: number, fd: number): string {
  const [base, path] = [root, fd].map((each) => readlinkSync(`/proc/self/fd/${each}`)) as [string, string];
  if (path === base) return '/';
  return base === '/' ? path : path.slice(base.length);
}

/** A path of `rootfs` with its links resolved inside it, or undefined if nothing is there. */
export function resolveInside(rootfs: string, path: string): string | undefined {
  const root = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    const fd = loadSys().openat2(root, path, {
      flags: O_PATH,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
    try {
      return pathBelow(root, fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].some((code) => isErrno(error, code))) return undefined;
    throw error;
  } finally {
    closeSync(root);
  }
}
