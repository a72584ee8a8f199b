import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isErrno, type SlipwayError } from '../errors/index.ts';
import { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';
import { executeError } from './exec-error.ts';
import { executableCandidates } from './executable-candidates.ts';
import type { ContainerSpec } from './types.ts';

const [ENOENT, ENOEXEC] = [2, 8];

/**
 * Why the program of a specification cannot have been executed, judged by its file in the root file system: for
 * runtimes that say it in the container's own output only. Undefined if nothing is wrong with it.
 */
export function executionFailure(spec: ContainerSpec): SlipwayError | undefined {
  const root = openSync(spec.rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    for (const path of executableCandidates(spec)) {
      const head = readHead(root, path);
      if (head === undefined) continue;
      if (head.startsWith('\x7fELF')) return undefined;
      const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(head)?.[1];
      if (interpreter === undefined) return executeError(ENOEXEC, '', spec);
      return readHead(root, interpreter) === undefined ? executeError(ENOENT, '', spec) : undefined;
    }
    return undefined;
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
    const head = Buffer.alloc(256);
    return head.toString('latin1', 0, readSync(file, head));
  } finally {
    closeSync(file);
  }
}
