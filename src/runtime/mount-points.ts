import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmdirSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { posix } from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';
import { refuseLinkedTargets } from './linked-targets.ts';
import { needsDirectory } from './mount-options.ts';
import { pathBelow } from './path-inside.ts';
import { standardTargets } from './standard-files.ts';
import type { Mount } from './types.ts';

/** A file or directory that was made to hang a mount on. */
export interface MountPointStub {
  /** Absolute inside the root directory, without links. */
  path: string;
  kind: 'file' | 'directory';
  /** It itself, held open: a RUN may move it, or a directory around it. */
  fd: number;
}

/** What `prepareMountPoints` made, in the order of making. `removeMountPoints` has to follow. */
export interface MountPoints {
  rootfs: string;
  created: MountPointStub[];
}

/**
 * Makes what is missing of the places where a container's mounts go (/proc, /dev, /sys and `mounts`) inside
 * `rootfs`, links resolved inside it. Directories have mode 0755, files 0644, owner root; the times of the
 * directories around them stay. Targets below /proc, /dev, /sys or another mount are the runtime's to make.
 */
export function prepareMountPoints(rootfs: string, mounts: readonly Mount[]): MountPoints {
  refuseLinkedTargets(rootfs);
  const result: MountPoints = { rootfs, created: [] };
  const root = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    const covered: string[] = [];
    for (const target of standardTargets) {
      make(root, { path: target, kind: 'directory', links: 0 }, result.created);
      covered.push(`${target}/`);
    }
    for (const mount of mounts) {
      const path = posix.normalize(mount.target).replace(/(.)\/$/, '$1');
      if (!path.startsWith('/') || path === '/') continue; // the runtime refuses it
      if (!covered.some((prefix) => path.startsWith(prefix))) {
        const kind = needsDirectory(mount) ? 'directory' : 'file';
        make(root, { path, kind, links: 0, mode: tmpfsMode(mount) }, result.created);
      }
      covered.push(`${path}/`);
    }
  } catch (error) {
    removeMountPoints(result);
    throw error;
  } finally {
    closeSync(root);
  }
  return result;
}

/**
 * Removes the stubs that are still empty, wherever a RUN has moved them. Follows no link, never fails on what a RUN
 * did to them, and leaves the times of the directories around them as they are.
 */
export function removeMountPoints({ rootfs, created }: MountPoints): void {
  const root = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    for (const stub of created.splice(0).reverse()) removeStub(root, stub);
  } finally {
    closeSync(root);
  }
}

interface Wanted {
  path: string;
  kind: 'file' | 'directory';
  /** Links followed so far. */
  links: number;
  /** Of a directory; default 0755. */
  mode?: number | undefined;
}

const MAX_LINKS = 40;
/** What a stub answers with that is in use now, or gone. */
const LEFT_ALONE = ['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ELOOP', 'ENOTDIR'];

/** The mode that a tmpfs is to have: runc gives it that of its mount point, whatever its options say. */
function tmpfsMode({ type, options }: Mount): number | undefined {
  const mode = type === 'tmpfs' ? options.find((option) => option.startsWith('mode=')) : undefined;
  return mode === undefined ? undefined : Number.parseInt(mode.slice('mode='.length), 8);
}

/** Makes one path; a link whose end is missing is made at its end, as the kernel would see it. */
function make(root: number, wanted: Wanted, created: MountPointStub[]): void {
  if (exists(root, wanted.path)) return;
  const directory = posix.dirname(wanted.path);
  if (!exists(root, directory))
    make(root, { path: directory, kind: 'directory', links: wanted.links }, created);
  const parent = openInside(root, directory, 0);
  try {
    const name = posix.basename(wanted.path);
    const inside = `/proc/self/fd/${parent}`;
    const target = `${inside}/${name}`;
    const existing = lstatSync(target, { throwIfNoEntry: false });
    if (existing?.isSymbolicLink()) {
      if (wanted.links >= MAX_LINKS) throw notPossible(wanted.path, 'too many symbolic links');
      const path = posix.resolve(pathBelow(root, parent), readlinkSync(target));
      make(root, { ...wanted, path, links: wanted.links + 1 }, created);
      return;
    }
    const times = statSync(inside, { bigint: true });
    if (wanted.kind === 'directory') {
      mkdirSync(target, 0o755);
      if (wanted.mode !== undefined) chmodSync(target, wanted.mode);
    } else closeSync(openSync(target, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644));
    const fd = openSync(target, O_PATH | constants.O_NOFOLLOW);
    created.push({ path: pathBelow(root, fd), kind: wanted.kind, fd });
    loadSys().utimens(`${inside}/.`, times.mtimeNs);
  } catch (cause) {
    if (cause instanceof SlipwayError) throw cause;
    throw notPossible(wanted.path, (cause as Error).message, cause);
  } finally {
    closeSync(parent);
  }
}

function removeStub(root: number, { kind, fd }: MountPointStub): void {
  let parent: number | undefined;
  try {
    const stub = fstatSync(fd, { bigint: true });
    if (stub.nlink === 0n || (kind === 'file' && stub.size !== 0n)) return;
    const path = pathBelow(root, fd);
    parent = openInside(root, posix.dirname(path), RESOLVE_NO_SYMLINKS);
    const inside = `/proc/self/fd/${parent}`;
    const target = `${inside}/${posix.basename(path)}`;
    const entry = lstatSync(target, { bigint: true, throwIfNoEntry: false });
    if (entry?.ino !== stub.ino || entry.dev !== stub.dev) return;
    const times = statSync(inside, { bigint: true });
    if (kind === 'directory') rmdirSync(target);
    else unlinkSync(target);
    loadSys().utimens(`${inside}/.`, times.mtimeNs);
  } catch (error) {
    if (!LEFT_ALONE.some((code) => isErrno(error, code))) throw error;
  } finally {
    closeSync(fd);
    if (parent !== undefined) closeSync(parent);
  }
}

function exists(root: number, path: string): boolean {
  try {
    closeSync(openInside(root, path, 0, 0));
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw notPossible(path, (error as Error).message, error);
  }
}

function openInside(
  root: number,
  path: string,
  resolve: number,
  flags: number = constants.O_DIRECTORY,
): number {
  return loadSys().openat2(root, path, {
    flags: O_PATH | flags,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
  });
}

function notPossible(path: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', `no mount point can be made at ${path}: ${why}`, {
    code: 'MOUNT_TARGET',
    cause,
  });
}
