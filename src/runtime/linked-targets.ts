import { closeSync, constants, openSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';
import { standardTargets } from './standard-files.ts';

/**
 * Refuses a root file system whose /proc, /dev or /sys is a symbolic link. runc 1.1 and crun 1.8 follow such a
 * /dev out of the root and make their nodes and links there, on the machine.
 */
export function refuseLinkedTargets(rootfs: string): void {
  const root = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    for (const target of standardTargets) {
      const how = { flags: O_PATH, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
      try {
        closeSync(loadSys().openat2(root, target, how));
      } catch (error) {
        if (isErrno(error, 'ENOENT')) continue;
        if (!isErrno(error, 'ELOOP')) throw error;
        throw new SlipwayError('invalid', `${target} of the image is a symbolic link`, {
          code: 'MOUNT_TARGET',
          hint: 'It must be a directory, or absent.',
          cause: error,
        });
      }
    }
  } finally {
    closeSync(root);
  }
}
