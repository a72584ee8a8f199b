import { chmodSync, fchmodSync, fchownSync, lchownSync } from 'node:fs';
import { isErrno } from '../errors/index.ts';
import { type BytePath, fsPath, textOf } from '../sys/bytes.ts';
import type { Sys } from '../sys/sys.ts';
import type { Inode } from './unpack-tree.ts';

/** Times that every file system of Linux in use can hold; ext4 ends in the year 2446. */
const earliest = -0x80000000n * 1_000_000_000n;
const latest = 0x37fffffffn * 1_000_000_000n;

/** Brings owner, mode, attributes and times of unpacked names onto the disk, and notes what the kernel refuses. */
export class MetadataWriter {
  readonly #sys: Sys;
  readonly #warnings: string[];
  readonly #uid = process.geteuid!();
  readonly #gid = process.getegid!();
  readonly #umask = process.umask();

  constructor(sys: Sys, warnings: string[]) {
    this.#sys = sys;
    this.#warnings = warnings;
  }

  /** Bits that a new file opened with this mode really gets. */
  createdMode(mode: number): number {
    return mode & 0o777 & ~this.#umask;
  }

  /**
   * Order matters: chown clears setuid bits and file capabilities, chmod changes ACLs, all of them the ctime only.
   */
  apply(path: BytePath, inode: Inode): void {
    const at = fsPath(path);
    const owned = this.#own(inode, () => lchownSync(at, inode.uid, inode.gid));
    if (inode.type !== 'symlink') chmodSync(at, safeMode(inode, owned));
    if (inode.xattrs !== undefined) this.#attributes(path, inode, inode.xattrs);
    this.#sys.utimens(at, this.#time(inode));
  }

  /** The same for a file that is open as `fd`, created with `mode`: no path is walked, nothing is set twice. */
  applyToFile(path: BytePath, inode: Inode, { fd, mode }: { fd: number; mode: number }): void {
    const owned = this.#own(inode, () => fchownSync(fd, inode.uid, inode.gid));
    const wanted = safeMode(inode, owned);
    if (wanted !== mode) fchmodSync(fd, wanted);
    if (inode.xattrs !== undefined) this.#attributes(path, inode, inode.xattrs);
    this.#sys.futimens(fd, this.#time(inode));
  }

  #time(inode: Inode): bigint {
    if (inode.mtimeNs < earliest || inode.mtimeNs > latest) inode.refused = true;
    return inode.mtimeNs;
  }

  #own(inode: Inode, chown: () => void): boolean {
    if (inode.uid === this.#uid && inode.gid === this.#gid) return true;
    try {
      chown();
      return true;
    } catch (error) {
      // EINVAL: an id that the user namespace does not map.
      if (!isErrno(error, 'EPERM') && !isErrno(error, 'EINVAL')) throw error;
      inode.refused = true;
      return false;
    }
  }

  #attributes(path: BytePath, inode: Inode, xattrs: Map<string, Buffer>): void {
    const at = fsPath(path);
    for (const [name, value] of xattrs) {
      try {
        this.#sys.lsetxattr(at, name, value);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? '';
        if (!refusals.has(code)) throw error;
        inode.refused = true;
        if (code !== 'EPERM') {
          this.#warnings.push(
            `${textOf(path)}: attribute ${textOf(name)} is kept in the record only (${code})`,
          );
        }
      }
    }
  }
}

/** The file system has no such attributes, no room for one (ext4: one block), or wants a privilege for it. */
const refusals = new Set(['ENOTSUP', 'EPERM', 'EACCES', 'ENOSPC', 'E2BIG', 'ERANGE', 'EINVAL', 'EDQUOT']);

/** On a file of another owner a setuid bit would give away the rights of whoever builds. */
function safeMode(inode: Inode, owned: boolean): number {
  return owned ? inode.mode : inode.mode & 0o1777;
}
