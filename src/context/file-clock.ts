import fs from 'node:fs';
import type { BytePath } from '../sys/bytes.ts';
import type { Fingerprint } from './fingerprint-list.ts';
import { fsPath } from './read-file.ts';

/**
 * Git's racy-timestamp rule: a file that was touched less than one tick of the file system's clock before it was
 * read could change again without any sign in its stat data. What is read then is not kept for later runs.
 *
 * @param readAtNs when reading began, nanoseconds since 1970
 * @param tickNs granularity of the file system's timestamps and the clock skew to expect
 */
export function isLasting(print: Fingerprint, readAtNs: bigint, tickNs: bigint): boolean {
  // Whole seconds in both times: a file system that keeps no finer ones (ext3, small inodes, HFS+).
  const coarse = print.ctimeNs % 1_000_000_000n === 0n && print.mtimeNs % 1_000_000_000n === 0n;
  const limit = readAtNs - (coarse && tickNs < 2_000_000_000n ? 2_000_000_000n : tickNs);
  return print.ctimeNs < limit && print.mtimeNs < limit;
}

/** Timestamps follow the timer interrupt, at worst every 10 ms (HZ=100); twice that for good measure. */
const LOCAL_TICK = 20_000_000n;

/** Where the clock is another machine's, or the file system keeps times in steps of two seconds. */
const UNKNOWN_TICK = 3_000_000_000n;

/** statfs(2) magic numbers of ext, xfs, btrfs, tmpfs, overlay, zfs, f2fs and bcachefs. */
const LOCAL_FILE_SYSTEMS = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e,
]);

/**
 * Those that number a file anew whenever they forget it (MSDOS and exFAT), or may (FUSE, SMB): a number says nothing
 * about which file it is, and times in steps of two seconds say little more. Files there are read at every build.
 */
const UNSTABLE_INODES = new Set([0x4d44, 0x2011bab0, 0x65735546, 0x517b, 0xff534d42, 0xfe534d42]);

/**
 * Granularity of file times, nanoseconds, by device; undefined where inode numbers are not to be relied on.
 * `directory` is one that lies on the device, or a file.
 */
export type FileClock = (dev: bigint, directory: BytePath) => bigint | undefined;

/** @param typeOf the number by which statfs(2) tells file systems apart; throws where it cannot be had */
export function openFileClock(
  typeOf: (path: BytePath) => number = (path) => fs.statfsSync(fsPath(path)).type,
): FileClock {
  const known = new Map<bigint, bigint | undefined>();
  return (dev, directory) => {
    if (!known.has(dev))
      known.set(
        dev,
        tickOf(() => typeOf(directory) >>> 0),
      );
    return known.get(dev);
  };
}

function tickOf(type: () => number): bigint | undefined {
  try {
    const number = type();
    if (UNSTABLE_INODES.has(number)) return undefined;
    return LOCAL_FILE_SYSTEMS.has(number) ? LOCAL_TICK : UNKNOWN_TICK;
  } catch {
    return UNKNOWN_TICK;
  }
}

/** Nanoseconds since 1970 by this machine's clock. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
