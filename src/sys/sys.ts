/**
 * A path for the kernel: a string is encoded as UTF-8 (as Node's fs does), a Buffer is taken byte for byte.
 * A path that holds a NUL byte is refused with `ERR_INVALID_ARG_VALUE`.
 */
export type SysPath = string | Buffer;

/** An argument of a raw call: a Buffer passes the address of its first byte. */
export type SysArg = number | bigint | Buffer;

/**
 * Every function here is synchronous and throws an `Error` with `code` (`EPERM`), `errno` (negative, as Node has
 * it) and `syscall` when the kernel refuses, unless its own text says otherwise. Calls that change a namespace,
 * the root or the working directory act on the calling thread where the kernel has it so.
 */
export interface Sys extends MountSys, XattrSys, FileSys, ProcessSys, TerminalSys {
  /** A system call by number; returns its result. The caller keeps Buffers alive and their sizes right. */
  syscall(number: number, ...args: SysArg[]): number;
  /** Address of a Buffer's first byte, for structures that hold pointers. The Buffer must stay referenced. */
  address(buffer: Buffer): bigint;
}

/** Mounts. Constants: `MS_*`, `MNT_*`, `MOUNT_ATTR_*`, `OPEN_TREE_*` in constants.ts. */
export interface MountSys {
  /** mount(2). `null` passes a null pointer. `data` is limited to one page by the kernel. */
  mount(
    source: SysPath | null,
    target: SysPath,
    fstype: string | null,
    flags: number,
    data?: SysPath | null,
  ): void;
  /** umount2(2). */
  umount(target: SysPath, flags?: number): void;
  /** mount_setattr(2): sets and clears `MOUNT_ATTR_*`, and propagation (`MS_PRIVATE`, …), on one mount or a tree. */
  mountSetattr(target: SysPath, attributes: MountAttributes): void;
  /** fsopen(2): a file descriptor of a new file system context. */
  fsopen(fstype: string): number;
  /** fsconfig(2) with a string (`FSCONFIG_SET_STRING`) or, for `null`, a flag. Not limited to one page in sum. */
  fsconfigSet(fd: number, key: string, value: SysPath | null): void;
  /** fsconfig(2) `FSCONFIG_CMD_CREATE`, then fsmount(2): a file descriptor of the detached mount. */
  fsmount(fd: number, attributes?: number): number;
  /** open_tree(2) with `OPEN_TREE_CLONE`: a detached bind mount of `path`, with its submounts if `recursive`. */
  cloneTree(path: SysPath, options?: { recursive?: boolean }): number;
  /** move_mount(2): attaches a detached mount at `target`. */
  moveMount(fd: number, target: SysPath): void;
  /** pivot_root(2). */
  pivotRoot(newRoot: SysPath, putOld: SysPath): void;
  /** chroot(2). */
  chroot(path: SysPath): void;
  /** chdir(2), also in worker threads. */
  chdir(path: SysPath): void;
}

export interface MountAttributes {
  set?: number;
  clear?: number;
  propagation?: number;
  recursive?: boolean;
}

/** Extended attributes of a path itself, never of what a symbolic link points at. Names: one code unit per byte. */
export interface XattrSys {
  /** The value, or undefined if there is no such attribute (ENODATA). */
  lgetxattr(path: SysPath, name: string): Buffer | undefined;
  /** `flags`: 0, or `XATTR_CREATE`, `XATTR_REPLACE`. */
  lsetxattr(path: SysPath, name: string, value: Buffer, flags?: number): void;
  /** Names in the kernel's order. */
  llistxattr(path: SysPath): readonly string[];
  /** Of an open file: a third of what a path takes. */
  flistxattr(fd: number): readonly string[];
  lremovexattr(path: SysPath, name: string): void;
}

/** Files. */
export interface FileSys {
  /** mknod(2). `mode` holds type and permission bits (`S_IFCHR | 0o600`); a fifo is `S_IFIFO` with 0, 0. EINVAL beyond 12 and 20 bits. */
  mknod(path: SysPath, mode: number, major: number, minor: number): void;
  /** utimensat(2) without following a link. Nanoseconds since 1970. The access time stays if not given. */
  utimens(path: SysPath, mtimeNs: bigint, options?: { atimeNs?: bigint }): void;
  /** The modification time of an open file: cheaper where a long path would be walked again. */
  futimens(fd: number, mtimeNs: bigint): void;
  /** flock(2). False only with `nonBlocking`, when another holds it. Without, it blocks the thread. */
  flock(fd: number, kind: 'shared' | 'exclusive' | 'unlock', options?: { nonBlocking?: boolean }): boolean;
  /** syncfs(2): everything of the file system that `fd` lies on. */
  syncfs(fd: number): void;
  /** openat2(2): a file descriptor, close-on-exec. `dirfd` may be `AT_FDCWD`. */
  openat2(dirfd: number, path: SysPath, how: OpenHow): number;
  /** FICLONE: shares all data of `srcFd` with `dstFd`. False where the file systems cannot. */
  reflink(dstFd: number, srcFd: number): boolean;
  /** copy_file_range(2) at the files' own offsets; bytes copied, 0 at the end. */
  copyRange(dstFd: number, srcFd: number, length: number): number;
  /** lseek(2); undefined for ENXIO (`SEEK_DATA` beyond the last data). */
  lseek(fd: number, offset: number, whence: number): number | undefined;
  /** memfd_create(2). Flags `MFD_*`. */
  memfdCreate(name: string, flags?: number): number;
}

export interface OpenHow {
  /** `O_*` of node:fs constants (and `O_PATH`, `O_CLOEXEC` of constants.ts). O_CLOEXEC is always added. */
  flags: number;
  mode?: number;
  /** `RESOLVE_*`. */
  resolve?: number;
}

/** The calling thread and process. */
export interface ProcessSys {
  /** unshare(2) of the calling thread. `CLONE_NEWUSER` is refused by the kernel in a process with threads. */
  unshare(flags: number): void;
  /** setns(2) of the calling thread. */
  setns(fd: number, nstype: number): void;
  /** prctl(2) of the calling thread; its result. */
  prctl(option: number, ...args: SysArg[]): number;
  sethostname(name: string): void;
  /** madvise(2) `MADV_HUGEPAGE`: what was never touched may come in pages of 2 MiB. Where there are none, nothing. */
  adviseHugePages(memory: Buffer): void;
  /** ioctl(2) with an integer or the address of a Buffer. */
  ioctl(fd: number, request: number, arg: SysArg): number;
}

/** Two ends of a pseudo terminal as file descriptors, and the inner one's name. */
export interface Pty {
  master: number;
  slave: number;
  name: string;
}

/** Pseudo terminals. */
export interface TerminalSys {
  /** A new pair from `ptmx` (default /dev/ptmx). Both descriptors are close-on-exec; the caller closes them. */
  openPty(ptmx?: string): Pty;
  /** TIOCSWINSZ: rows and columns in characters. */
  setWindowSize(fd: number, rows: number, columns: number): void;
}
