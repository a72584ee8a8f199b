import { closeSync, openSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno, SlipwayError } from '../../errors/index.ts';
import { deleteTree } from '../../store/collect.ts';
import { treeBytes } from '../../store/gc/measure.ts';
import type { Sys } from '../../sys/sys.ts';
import { cacheName, nameFile } from './cache-home.ts';

/** A cache mount as it lies in the store. */
export interface CacheUsage {
  /** As `RUN --mount=type=cache,id=` names it; undefined where that was not written down. */
  id?: string;
  /** Name of its folder: the SHA-256 of the id. */
  digest: string;
  /** Bytes on disk, hard links once. */
  size: number;
  /** Milliseconds since 1970. */
  createdMs?: number;
  lastUsedMs: number;
  /** A step has it mounted right now. */
  inUse: boolean;
  /** More than one where `sharing=private` was asked for at the same time. */
  directories: number;
}

export interface CacheWork {
  sys: Sys;
  /** Directory of the store that holds all caches. */
  caches: string;
  /** Looked at between files; stops the work. */
  aborted: () => boolean;
}

const LOCK = /^\d+\.lock$/;

/** All cache mounts that hold something, the largest first. */
export function listCaches(work: CacheWork): CacheUsage[] {
  const usages = names(work.caches).flatMap((digest) => usageOf(work, digest) ?? []);
  return usages.sort((a, b) => b.size - a.size || (a.digest < b.digest ? -1 : 1));
}

function usageOf(work: CacheWork, digest: string): CacheUsage | undefined {
  const home = join(work.caches, digest);
  const all = names(home);
  const directories = all.filter((name) => /^\d+$/.test(name));
  const locks = all.filter((name) => LOCK.test(name));
  if (directories.length === 0 && locks.length === 0) return undefined;
  const times = locks.map((name) => statSync(join(home, name), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return {
    ...cacheName(home),
    digest,
    size: sizeOf(work, home),
    lastUsedMs: Math.max(0, ...times),
    inUse: locks.some((name) => isHeld(work.sys, join(home, name))),
    directories: directories.length,
  };
}

function sizeOf({ aborted }: CacheWork, home: string): number {
  return treeBytes(Buffer.from(home), () => {
    if (aborted()) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
  });
}

function isHeld(sys: Sys, path: string): boolean {
  const fd = openIfThere(path);
  if (fd === undefined) return false;
  try {
    return !sys.flock(fd, 'exclusive', { nonBlocking: true });
  } finally {
    closeSync(fd);
  }
}

/**
 * Deletes a cache mount. False, and nothing is deleted, while a step has it mounted: whoever asks for it meanwhile
 * waits for the lock and then finds it gone.
 */
export function removeCache(work: CacheWork, digest: string): boolean {
  const { sys, caches, aborted } = work;
  if (!/^[0-9a-f]{64}$/.test(digest)) {
    throw new SlipwayError('internal', `not a cache of the store: ${digest}`, { code: 'STORE_NAME_INVALID' });
  }
  const home = join(caches, digest);
  const locks = names(home).filter((name) => LOCK.test(name));
  const held: number[] = [];
  try {
    for (const name of locks) {
      const fd = openIfThere(join(home, name));
      if (fd === undefined) continue;
      held.push(fd);
      if (!sys.flock(fd, 'exclusive', { nonBlocking: true })) return false;
    }
    for (const name of names(home)) {
      if (!LOCK.test(name) && join(home, name) !== nameFile(home)) deleteTree(join(home, name), { aborted });
    }
    rmSync(nameFile(home), { force: true });
    for (const name of locks) rmSync(join(home, name), { force: true });
  } finally {
    for (const fd of held) closeSync(fd);
  }
  try {
    rmdirSync(home);
  } catch (error) {
    // Somebody has begun to use it again, or somebody else has removed it.
    if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'ENOENT')) throw error;
  }
  return true;
}

function openIfThere(path: string): number | undefined {
  return ifThere(() => openSync(path, 'r'));
}

function names(path: string): string[] {
  return (ifThere(() => readdirSync(path)) ?? []).sort();
}

function ifThere<Result>(body: () => Result): Result | undefined {
  try {
    return body();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
