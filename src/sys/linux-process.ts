import { closeSync, constants, openSync } from 'node:fs';
import { O_CLOEXEC, TIOCGPTN, TIOCGPTPEER, TIOCSPTLCK, TIOCSWINSZ } from './constants.ts';
import { cString, type LinuxCalls } from './linux-call.ts';
import type { ProcessSys, SysArg, TerminalSys } from './sys.ts';

const MADV_HUGEPAGE = 14;
/** Addresses must be those of pages; 64 KiB is the largest usual size of one. */
const LARGEST_PAGE = 65536n;

/** Namespaces, prctl and terminals. */
export function processCalls({ bind, check, address }: LinuxCalls): ProcessSys & TerminalSys {
  const unshare = bind('int unshare(int)');
  const setns = bind('int setns(int, int)');
  const prctl = bind('int prctl(int, int64_t, int64_t, int64_t, int64_t)');
  const madvise = bind('int madvise(int64_t, size_t, int)');
  const sethostname = bind('int sethostname(void *, size_t)');
  const rawIoctl = bind('int ioctl(int, unsigned long, int64_t)');
  const word = (arg: SysArg) => (Buffer.isBuffer(arg) ? address(arg) : arg);
  const ioctl = (fd: number, request: number, arg: SysArg) =>
    check(rawIoctl(fd, request, word(arg)), `ioctl 0x${request.toString(16)}`);

  return {
    unshare: (flags) => void check(unshare(flags), 'unshare'),
    setns: (fd, nstype) => void check(setns(fd, nstype), 'setns'),
    prctl(option, ...args) {
      const [a = 0, b = 0, c = 0, d = 0] = args.map(word);
      return check(prctl(option, a, b, c, d), 'prctl');
    },
    sethostname(name) {
      const text = cString(name);
      check(sethostname(text, text.length - 1), 'sethostname', name);
    },
    adviseHugePages(memory) {
      const start = address(memory);
      const first = (start + LARGEST_PAGE - 1n) & -LARGEST_PAGE;
      const end = (start + BigInt(memory.length)) & -LARGEST_PAGE;
      if (end > first) madvise(first, end - first, MADV_HUGEPAGE);
    },
    ioctl,
    openPty(ptmx = '/dev/ptmx') {
      const flags = constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC;
      const master = openSync(ptmx, flags);
      try {
        const number = Buffer.alloc(4);
        ioctl(master, TIOCSPTLCK, number);
        ioctl(master, TIOCGPTN, number);
        // Not by the name: /dev/pts of this mount namespace may be another instance.
        const slave = ioctl(master, TIOCGPTPEER, flags);
        return { master, slave, name: `/dev/pts/${number.readInt32LE(0)}` };
      } catch (error) {
        closeSync(master);
        throw error;
      }
    },
    setWindowSize(fd, rows, columns) {
      const size = Buffer.alloc(8);
      size.writeUInt16LE(rows, 0);
      size.writeUInt16LE(columns, 2);
      ioctl(fd, TIOCSWINSZ, size);
    },
  };
}
