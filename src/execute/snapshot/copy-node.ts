import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { isErrno } from '../../errors/index.ts';
import { type BytePath, fsPath } from '../../sys/bytes.ts';
import { majorOf, minorOf, S_IFBLK, S_IFCHR, S_IFIFO, SEEK_DATA, SEEK_HOLE } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';

const CHUNK = 1 << 20;

/** Copies single names of a tree with all that a layer holds of them. One copier for one tree: it knows hard links. */
export class NodeCopier {
  readonly #sys: Sys;
  /** The copy of the first name of each inode that has several. */
  readonly #first = new Map<string, BytePath>();
  #reflink = true;
  #buffer: Buffer | undefined;

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  /** Copies anything but a directory; `to` must not exist. Sockets are left out: no layer holds them. */
  copy(from: BytePath, to: BytePath, stat: BigIntStats): void {
    const inode = stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : undefined;
    const first = inode === undefined ? undefined : this.#first.get(inode);
    if (first !== undefined) {
      linkSync(fsPath(first), fsPath(to));
      return;
    }
    if (stat.isFile()) this.#file(from, to, Number(stat.size));
    else if (stat.isSymbolicLink()) symlinkSync(fsPath(readlinkSync(fsPath(from), 'latin1')), fsPath(to));
    else if (stat.isFIFO()) this.#sys.mknod(fsPath(to), S_IFIFO | 0o600, 0, 0);
    else if (stat.isCharacterDevice() || stat.isBlockDevice()) {
      const type = stat.isCharacterDevice() ? S_IFCHR : S_IFBLK;
      const device = Number(stat.rdev);
      this.#sys.mknod(fsPath(to), type | 0o600, majorOf(device), minorOf(device));
    } else return;
    this.attributes(from, to, stat);
    if (inode !== undefined) this.#first.set(inode, to);
  }

  /** Makes a directory that is to get the attributes of another when its content is there. */
  directory(to: BytePath): void {
    mkdirSync(fsPath(to), 0o700);
  }

  /** Owner, mode, extended attributes and time, in the order in which the kernel keeps them. */
  attributes(from: BytePath, to: BytePath, stat: BigIntStats): void {
    lchownSync(fsPath(to), Number(stat.uid), Number(stat.gid));
    if (!stat.isSymbolicLink()) chmodSync(fsPath(to), Number(stat.mode & 0o7777n));
    this.#xattrs(from, to);
    this.#sys.utimens(fsPath(to), stat.mtimeNs);
  }

  #xattrs(from: BytePath, to: BytePath): void {
    let names: readonly string[];
    try {
      names = this.#sys.llistxattr(fsPath(from));
    } catch {
      return;
    }
    for (const name of names) {
      if (/^(trusted|user)\.overlay\./.test(name) || name.startsWith('security.selinux')) continue;
      try {
        const value = this.#sys.lgetxattr(fsPath(from), name);
        if (value) this.#sys.lsetxattr(fsPath(to), name, value);
      } catch {
        // What this file system or user may not set, it could not have held in the layer either.
      }
    }
  }

  #file(from: BytePath, to: BytePath, size: number): void {
    const source = openSync(fsPath(from), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const target = openSync(fsPath(to), flags, 0o600);
      try {
        if (size === 0 || this.#share(target, source)) return;
        this.#data(target, source, size);
      } finally {
        closeSync(target);
      }
    } finally {
      closeSync(source);
    }
  }

  /** Both files share their blocks from now on, where the file system can do that. */
  #share(target: number, source: number): boolean {
    if (!this.#reflink) return false;
    this.#reflink = this.#sys.reflink(target, source);
    return this.#reflink;
  }

  /** Copies what is data; holes stay holes. */
  #data(target: number, source: number, size: number): void {
    for (let position = 0; position < size; ) {
      const start = this.#seek(source, position, SEEK_DATA) ?? size;
      const end = Math.min(this.#seek(source, start, SEEK_HOLE) ?? size, size);
      this.#range(target, source, { start, end });
      position = Math.max(end, start, position + 1);
    }
    ftruncateSync(target, size);
  }

  #seek(fd: number, position: number, whence: number): number | undefined {
    try {
      return this.#sys.lseek(fd, position, whence);
    } catch (error) {
      if (!isErrno(error, 'EINVAL')) throw error;
      return whence === SEEK_DATA ? position : undefined;
    }
  }

  #range(target: number, source: number, { start, end }: { start: number; end: number }): void {
    this.#buffer ??= Buffer.allocUnsafeSlow(CHUNK);
    for (let position = start; position < end; ) {
      const count = readSync(source, this.#buffer, 0, Math.min(CHUNK, end - position), position);
      if (count === 0) return;
      for (let done = 0; done < count; ) {
        done += writeSync(target, this.#buffer, done, count - done, position + done);
      }
      position += count;
    }
  }
}
