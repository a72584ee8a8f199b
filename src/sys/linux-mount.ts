import { AT_FDCWD, AT_RECURSIVE } from './constants.ts';
import { cString, type LinuxCalls } from './linux-call.ts';
import type { MountSys } from './sys.ts';

/** Numbers of calls newer than 5.1 are the same on every architecture. */
const nr = { openTree: 428, moveMount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, mountSetattr: 442 };
const pivotRootNumber = process.arch === 'arm64' ? 41 : 155;

const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const OPEN_TREE_CLONE = 1;
const CLOEXEC = 0x80000;
const FSOPEN_CLOEXEC = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;

/** Mount calls by libc and by number. */
export function mountCalls(calls: LinuxCalls): MountSys {
  const { bind, check, syscall } = calls;
  const mount = bind('int mount(void *, void *, void *, unsigned long, void *)');
  const umount2 = bind('int umount2(void *, int)');
  const chroot = bind('int chroot(void *)');
  const chdir = bind('int chdir(void *)');
  const empty = cString('');

  return {
    mount(source, target, fstype, flags, data = null) {
      const [from, type, options] = [source, fstype, data].map((v) => (v === null ? null : cString(v)));
      check(mount(from, cString(target), type, flags, options), 'mount', target);
    },
    umount(target, flags = 0) {
      check(umount2(cString(target), flags), 'umount', target);
    },
    mountSetattr(target, { set = 0, clear = 0, propagation = 0, recursive = false }) {
      const attributes = Buffer.alloc(32);
      attributes.writeBigUInt64LE(BigInt(set), 0);
      attributes.writeBigUInt64LE(BigInt(clear), 8);
      attributes.writeBigUInt64LE(BigInt(propagation), 16);
      const flags = recursive ? AT_RECURSIVE : 0;
      syscall('mount_setattr', target, nr.mountSetattr, AT_FDCWD, cString(target), flags, attributes, 32);
    },
    fsopen: (fstype) => syscall('fsopen', fstype, nr.fsopen, cString(fstype), FSOPEN_CLOEXEC),
    fsconfigSet(fd, key, value) {
      const command = value === null ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
      syscall(
        'fsconfig',
        key,
        nr.fsconfig,
        fd,
        command,
        cString(key),
        value === null ? 0 : cString(value),
        0,
      );
    },
    fsmount(fd, attributes = 0) {
      syscall('fsconfig', 'create', nr.fsconfig, fd, FSCONFIG_CMD_CREATE, 0, 0, 0);
      return syscall('fsmount', undefined, nr.fsmount, fd, 1, attributes);
    },
    cloneTree(path, { recursive = false } = {}) {
      const flags = OPEN_TREE_CLONE | CLOEXEC | (recursive ? AT_RECURSIVE : 0);
      return syscall('open_tree', path, nr.openTree, AT_FDCWD, cString(path), flags);
    },
    moveMount(fd, target) {
      syscall(
        'move_mount',
        target,
        nr.moveMount,
        fd,
        empty,
        AT_FDCWD,
        cString(target),
        MOVE_MOUNT_F_EMPTY_PATH,
      );
    },
    pivotRoot(newRoot, putOld) {
      syscall('pivot_root', newRoot, pivotRootNumber, cString(newRoot), cString(putOld));
    },
    chroot: (path) => void check(chroot(cString(path)), 'chroot', path),
    chdir: (path) => void check(chdir(cString(path)), 'chdir', path),
  };
}
