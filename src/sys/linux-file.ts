import { FICLONE, makeDev, O_CLOEXEC } from './constants.ts';
import { cString, type LinuxCalls, systemError } from './linux-call.ts';
import type { FileSys } from './sys.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const UTIME_OMIT = 0x3ffffffen;
const OPENAT2 = 437;
const second = 1_000_000_000n;

const lock = { shared: 1, exclusive: 2, unlock: 8 };
const LOCK_NB = 4;
const EINTR = 4;
const EINVAL = 22;
const EAGAIN = 11;
const ENXIO = 6;
/** How often openat2(2) is asked again on EAGAIN: a busy machine needs two or three, one that renames without end more. */
const openTries = 10_000;
/** EINVAL, EXDEV, ENOTTY, EOPNOTSUPP, ENOSYS, EBADF on file systems of another kind, EPERM under some filters. */
const cannotClone = new Set([22, 18, 25, 95, 38, 1]);

/** Calls on files that node:fs lacks. */
export function fileCalls({ bind, check, errno, syscall }: LinuxCalls): FileSys {
  const mknod = bind('int mknod(void *, unsigned int, uint64_t)');
  const utimensat = bind('int utimensat(int, void *, void *, int)');
  const futimens = bind('int futimens(int, void *)');
  const flock = bind('int flock(int, int)');
  const syncfs = bind('int syncfs(int)');
  const ioctl = bind('int ioctl(int, unsigned long, int64_t)');
  const lseek = bind('int64_t lseek(int, int64_t, int)');
  const copyRange = bind('int64_t copy_file_range(int, void *, int, void *, size_t, unsigned int)');
  const memfd = bind('int memfd_create(void *, unsigned int)');
  const times = Buffer.alloc(32);

  return {
    mknod(path, mode, major, minor) {
      // musl would cut off what the kernel has no bits for.
      if (major >>> 12 !== 0 || minor >>> 20 !== 0) throw systemError(EINVAL, 'mknod', path);
      check(mknod(cString(path), mode, makeDev(major, minor)), 'mknod', path);
    },
    utimens(path, mtimeNs, options) {
      writeTime(times, 0, options?.atimeNs);
      writeTime(times, 16, mtimeNs);
      check(utimensat(AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', path);
    },
    futimens(fd, mtimeNs) {
      writeTime(times, 0, undefined);
      writeTime(times, 16, mtimeNs);
      check(futimens(fd, times), 'futimens');
    },
    flock(fd, kind, { nonBlocking = false } = {}) {
      for (;;) {
        if (flock(fd, lock[kind] | (nonBlocking ? LOCK_NB : 0)) === 0) return true;
        const reason = errno();
        if (reason === EINTR) continue;
        if (reason === EAGAIN && nonBlocking) return false;
        throw systemError(reason, 'flock');
      }
    },
    syncfs: (fd) => void check(syncfs(fd), 'syncfs'),
    openat2(dirfd, path, { flags, mode = 0, resolve = 0 }) {
      const how = Buffer.alloc(24);
      how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
      how.writeBigUInt64LE(BigInt(mode), 8);
      how.writeBigUInt64LE(BigInt(resolve), 16);
      const name = cString(path);
      for (let tries = 1; ; tries++) {
        try {
          return syscall('openat2', path, OPENAT2, dirfd, name, how, how.length);
        } catch (error) {
          // A path with `..` that is bound to a root is refused while anything is renamed or mounted, anywhere.
          if ((error as NodeJS.ErrnoException).errno !== -EAGAIN || tries === openTries) throw error;
        }
      }
    },
    reflink(dstFd, srcFd) {
      if (ioctl(dstFd, FICLONE, srcFd) === 0) return true;
      const reason = errno();
      if (cannotClone.has(reason)) return false;
      throw systemError(reason, 'ioctl FICLONE');
    },
    copyRange: (dstFd, srcFd, length) =>
      check(copyRange(srcFd, null, dstFd, null, length, 0), 'copy_file_range'),
    lseek(fd, offset, whence) {
      const position = lseek(fd, offset, whence);
      if (position !== -1) return position;
      const reason = errno();
      if (reason === ENXIO) return undefined;
      throw systemError(reason, 'lseek');
    },
    memfdCreate: (name, flags = 1) => check(memfd(cString(name), flags), 'memfd_create', name),
  };
}

/** A struct timespec. The kernel wants nanoseconds from 0 to 999,999,999, so seconds round down before 1970. */
function writeTime(buffer: Buffer, offset: number, ns: bigint | undefined): void {
  if (ns === undefined) {
    buffer.writeBigInt64LE(0n, offset);
    buffer.writeBigInt64LE(UTIME_OMIT, offset + 8);
    return;
  }
  let seconds = ns / second;
  let rest = ns % second;
  if (rest < 0n) {
    seconds -= 1n;
    rest += second;
  }
  buffer.writeBigInt64LE(seconds, offset);
  buffer.writeBigInt64LE(rest, offset + 8);
}
