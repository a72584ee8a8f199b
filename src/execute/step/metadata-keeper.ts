import { chmodSync, closeSync, fchmodSync, fchownSync, lchownSync, linkSync, openSync } from 'node:fs';
import { isErrno } from '../../errors/index.ts';
import { type BytePath, bufferOf } from '../../sys/bytes.ts';
import { S_IFBLK, S_IFCHR } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';

/** An owner by its numbers in the image. */
export interface Owner {
  uid: number;
  gid: number;
}

/** What a name should be and the kernel refused: an id that the user namespace lacks, a device node. */
export interface Refused extends Owner {
  /** Permission bits; absent as long as none were set. */
  mode?: number;
  /** An empty file keeps its place. */
  device?: Device;
}

export interface Device {
  type: 'char' | 'block';
  major: number;
  minor: number;
}

/** What a step could not make of its files. Plain data; paths are absolute. */
export interface KeptMetadata {
  refused: Map<BytePath, Refused>;
  /** Directories of lower layers that were given an owner which the kernel took. */
  settled: Set<BytePath>;
}

/** Sets owners, modes and devices, and keeps for the layer's record what the kernel refuses without privilege. */
export class MetadataKeeper {
  readonly kept: KeptMetadata = { refused: new Map(), settled: new Set() };
  readonly #sys: Sys;

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  /**
   * Gives a name (not what a link leads to) to an owner. Before `setMode`: chown clears setuid bits. `fd`, if given, is
   * the open file: faster.
   */
  setOwner(path: BytePath, { uid, gid }: Owner, fd?: number): void {
    const { refused } = this.kept;
    const device = refused.get(path)?.device;
    try {
      if (fd === undefined) lchownSync(bufferOf(path), uid, gid);
      else fchownSync(fd, uid, gid);
      if (device) refused.set(path, { uid, gid, device });
      else refused.delete(path);
    } catch (error) {
      // EINVAL: an id that the user namespace does not map.
      if (!isErrno(error, 'EPERM') && !isErrno(error, 'EINVAL')) throw error;
      refused.set(path, { uid, gid, ...(device && { device }) });
    }
  }

  /** As `setOwner` for a directory that a lower layer has. */
  setOwnerAgain(path: BytePath, owner: Owner): void {
    this.setOwner(path, owner);
    this.kept.settled.add(path);
  }

  /** On a file of another owner a setuid bit would give away the rights of whoever builds: it is only kept. */
  setMode(path: BytePath, mode: number, fd?: number): void {
    const refused = this.kept.refused.get(path);
    if (refused) refused.mode = mode;
    const possible = refused ? mode & 0o1777 : mode;
    if (fd === undefined) chmodSync(bufferOf(path), possible);
    else fchmodSync(fd, possible);
  }

  /**
   * Makes a device node, or an empty file in its place: where the kernel refuses it, and for what overlayfs takes for
   * a whiteout (a mount of it refuses that one, a layer's directory does not). Owner and mode are to be set after it.
   */
  makeDevice(path: BytePath, device: Device): void {
    const isWhiteout = device.type === 'char' && device.major === 0 && device.minor === 0;
    if (!isWhiteout && this.#mknod(path, device)) return;
    closeSync(openSync(bufferOf(path), 'wx', 0o600));
    this.kept.refused.set(path, { uid: 0, gid: 0, device });
  }

  /** False where the kernel refuses it. */
  #mknod(path: BytePath, { type, major, minor }: Device): boolean {
    try {
      this.#sys.mknod(bufferOf(path), (type === 'char' ? S_IFCHR : S_IFBLK) | 0o600, major, minor);
      return true;
    } catch (error) {
      if (!isErrno(error, 'EPERM')) throw error;
      return false;
    }
  }

  /** Makes a hard link. */
  link(first: BytePath, path: BytePath): void {
    linkSync(bufferOf(first), bufferOf(path));
    const refused = this.kept.refused.get(first);
    if (refused) this.kept.refused.set(path, refused);
    else this.kept.refused.delete(path);
  }
}
