import { createRequire } from 'node:module';
import { getSystemErrorMap } from 'node:util';
import type { SysArg, SysPath } from './sys.ts';

/** The calls into libc that the parts of the Linux implementation share. */
export interface LinuxCalls {
  /** Binds a C function of the process's own libc: `int mount(void *, …)`. */
  bind(prototype: string): (...args: unknown[]) => number;
  /** A raw system call; throws when it fails. `name` and `subject` are for the error. */
  syscall(name: string, subject: SysPath | undefined, number: number, ...args: SysArg[]): number;
  /** Throws the error of errno if `result` is -1 (errno is stale otherwise), else returns `result`. */
  check(result: number, syscall: string, subject?: SysPath | null): number;
  /** errno of the last call; only valid right after it returned -1. */
  errno(): number;
  address(buffer: Buffer): bigint;
  /** The address of a path as C has it, until the next call of this: for what is asked of each of many files. */
  pathAddress(path: SysPath): bigint;
}

/** Longer than any path that the kernel takes. */
const PATH_BYTES = 8192;

/** Loads koffi and binds to the libc that this process runs on (glibc or musl). */
export function loadCalls(): LinuxCalls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load(null);
  const raw = libc.func(`int64_t syscall(${Array(7).fill('int64_t').join(', ')})`);
  const check = (result: number, syscall: string, subject?: SysPath | null): number => {
    if (result !== -1) return result;
    throw systemError(koffi.errno(), syscall, subject);
  };
  const path = Buffer.allocUnsafeSlow(PATH_BYTES);
  const pathAt = koffi.address(path);
  let longPath: Buffer;
  return {
    bind: (prototype) => libc.func(prototype) as unknown as (...args: unknown[]) => number,
    check,
    errno: () => koffi.errno(),
    address: (buffer) => koffi.address(buffer),
    pathAddress(value) {
      const bytes = typeof value === 'string' ? 3 * value.length : value.length;
      if (bytes >= path.length || hasNul(value)) {
        // Longer than the kernel takes, or refused here.
        longPath = cString(value);
        return koffi.address(longPath);
      }
      path[typeof value === 'string' ? path.write(value, 0) : value.copy(path, 0)] = 0;
      return pathAt;
    },
    syscall: (name, subject, number, ...args) => {
      const six: (number | bigint)[] = args.map((a) => (Buffer.isBuffer(a) ? koffi.address(a) : a));
      while (six.length < 6) six.push(0);
      const result = check(raw(number, ...six), name, subject);
      // Keeps the Buffers reachable while the kernel reads them through their bare addresses.
      void args.length;
      return result;
    },
  };
}

function hasNul(value: SysPath): boolean {
  return typeof value === 'string' ? value.includes('\0') : value.includes(0);
}

/** A path or other text with the NUL byte that C wants. */
export function cString(value: SysPath): Buffer {
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  const text = Buffer.allocUnsafe(bytes + 1);
  if (typeof value === 'string') text.write(value, 0);
  else value.copy(text, 0);
  text[bytes] = 0;
  if (text.indexOf(0) !== bytes) {
    throw Object.assign(new TypeError('a path or name must not hold a NUL byte'), {
      code: 'ERR_INVALID_ARG_VALUE',
    });
  }
  return text;
}

/** An error of the shape that Node's own fs functions throw. `errno` is the kernel's, positive. */
export function systemError(errno: number, syscall: string, subject?: SysPath | null): NodeJS.ErrnoException {
  const [code, text] = getSystemErrorMap().get(-errno) ?? otherErrors[errno] ?? [`E${errno}`, 'system error'];
  const path = subject === undefined || subject === null ? undefined : subject.toString();
  const message = `${code}: ${text}, ${syscall}${path === undefined ? '' : ` '${path}'`}`;
  const error: NodeJS.ErrnoException = Object.assign(new Error(message), { code, errno: -errno, syscall });
  if (path !== undefined) error.path = path;
  return error;
}

/** Errors of Linux that Node has no name for and that mounts and attributes do give. */
const otherErrors: Record<number, [string, string] | undefined> = {
  15: ['ENOTBLK', 'block device required'],
  61: ['ENODATA', 'no data available'],
  116: ['ESTALE', 'stale file handle'],
  117: ['EUCLEAN', 'structure needs cleaning'],
  122: ['EDQUOT', 'disk quota exceeded'],
};
