import { cString, type LinuxCalls, systemError } from './linux-call.ts';
import type { SysPath, XattrSys } from './sys.ts';

const ENODATA = 61;
const ERANGE = 34;
const E2BIG = 7;
/** XATTR_LIST_MAX and XATTR_SIZE_MAX of the kernel. */
const maximum = 65536;
const none: readonly string[] = [];

/** Extended attributes of the path itself. One buffer serves all answers; values are copied out of it. */
export function xattrCalls({ bind, check, errno, pathAddress }: LinuxCalls): XattrSys {
  const lgetxattr = bind('int64_t lgetxattr(void *, void *, void *, size_t)');
  const lsetxattr = bind('int lsetxattr(void *, void *, void *, size_t, int)');
  const llistxattr = bind('int64_t llistxattr(int64_t, void *, size_t)');
  const flistxattr = bind('int64_t flistxattr(int, void *, size_t)');
  const lremovexattr = bind('int lremovexattr(void *, void *)');
  const answer = Buffer.allocUnsafeSlow(maximum);
  const nameOf = (name: string) => cString(Buffer.from(name, 'latin1'));
  const listed = (size: number, name: string, path?: SysPath): readonly string[] => {
    if (size === 0) return none;
    if (size > 0) return answer.toString('latin1', 0, size - 1).split('\0');
    const reason = errno();
    // The kernel says ERANGE where a list is longer than any list may be.
    throw systemError(reason === ERANGE ? E2BIG : reason, name, path);
  };

  return {
    lgetxattr(path, name) {
      const size = lgetxattr(cString(path), nameOf(name), answer, maximum);
      if (size >= 0) return Buffer.from(answer.subarray(0, size));
      const reason = errno();
      if (reason === ENODATA) return undefined;
      throw systemError(reason, 'lgetxattr', path);
    },
    lsetxattr(path, name, value, flags = 0) {
      check(lsetxattr(cString(path), nameOf(name), value, value.length, flags), 'lsetxattr', path);
    },
    llistxattr: (path) => listed(llistxattr(pathAddress(path), answer, maximum), 'llistxattr', path),
    flistxattr: (fd) => listed(flistxattr(fd, answer, maximum), 'flistxattr'),
    lremovexattr(path, name) {
      check(lremovexattr(cString(path), nameOf(name)), 'lremovexattr', path);
    },
  };
}
