import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../../errors/index.ts';
import type { RunMount } from '../../plan/types.ts';
import { deleteTree } from '../../store/collect.ts';
import { bytesOf } from '../../sys/bytes.ts';
import type { Sys } from '../../sys/sys.ts';
import { MetadataKeeper } from '../step/metadata-keeper.ts';
import { cacheHome, nameCache } from './cache-home.ts';

type CacheMount = Extract<RunMount, { type: 'cache' }>;

/** A cache directory in use by one step. */
export interface HeldCache {
  directory: string;
  release(): void;
}

export interface HoldCacheRequest {
  sys: Sys;
  /** Directory of the store that holds all caches. */
  caches: string;
  mount: CacheMount;
  /** Caches begin anew (`--reset-cache-mounts`); the homes of those that have: each does once in a build. */
  renewed?: Set<string> | undefined;
  /** Fills a new cache from the mount's `from`. */
  seed: ((directory: string) => void) | undefined;
  signal: AbortSignal;
}

/** How often a waiting step looks whether a locked cache is free. */
const POLL_MS = 50;

/**
 * The directory of a cache mount (SPEC 1.9, M5): `shared` has one for all, `locked` one at a time, `private` a
 * further one when the first is busy. The lock is the kernel's, so that it ends with whoever holds it.
 */
export async function holdCache(request: HoldCacheRequest): Promise<HeldCache> {
  const { sys, caches, mount, signal } = request;
  const home = cacheHome(caches, mount.id);
  const kind = mount.sharing === 'shared' ? 'shared' : 'exclusive';
  for (let instance = 0; ; ) {
    const path = join(home, `${instance}.lock`);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const lock = openLock(path);
    if (lock !== undefined && sys.flock(lock, kind, { nonBlocking: true })) {
      if (isStill(lock, path)) {
        nameCache(home, mount.id);
        if (renew(request, home, { instance, fd: lock, kind })) {
          const directory = join(home, String(instance));
          create(directory, request);
          return held(directory, lock);
        }
      }
      closeSync(lock);
      continue;
    }
    if (lock !== undefined) closeSync(lock);
    if (mount.sharing === 'private') instance++;
    else await sleep(POLL_MS, undefined, { signal });
  }
}

/** Empties a cache where that is asked for. False when another has taken the lock meanwhile: it is to be asked for again. */
function renew(
  { sys, renewed }: HoldCacheRequest,
  home: string,
  held: { instance: number; fd: number; kind: 'shared' | 'exclusive' },
): boolean {
  if (renewed === undefined || renewed.has(home)) return true;
  renewed.add(home);
  dropAll(sys, home, held);
  // Asking for it alone has given up the lock where others have it too.
  return sys.flock(held.fd, held.kind, { nonBlocking: true });
}

/**
 * Throws away what all instances of a cache hold. One that a step is using is moved out of the way, and deleted when
 * the next one comes to this; `held` is locked by the caller, who has not used it yet.
 */
function dropAll(sys: Sys, home: string, held: { instance: number; fd: number }): void {
  const names = readdirSync(home).filter((name) => /^\d+$/.test(name));
  for (const name of new Set([...names, String(held.instance)])) {
    const own = name === String(held.instance);
    const fd = own ? held.fd : openSync(join(home, `${name}.lock`), 'a', 0o600);
    const alone = sys.flock(fd, 'exclusive', { nonBlocking: true });
    const old = join(home, `${name}.${randomUUID()}.old`);
    if (existsSync(join(home, name))) renameSync(join(home, name), old);
    if (alone) {
      for (const left of readdirSync(home)) {
        if (left.startsWith(`${name}.`) && left.endsWith('.old')) deleteTree(join(home, left));
      }
    }
    if (!own) closeSync(fd);
  }
}

/** Its time says when the cache was last used. */
function held(directory: string, lock: number): HeldCache {
  const touch = (): void => futimesSync(lock, Date.now() / 1000, Date.now() / 1000);
  touch();
  return {
    directory,
    release() {
      touch();
      closeSync(lock);
    },
  };
}

/** Undefined when the whole cache is being removed this moment. */
function openLock(path: string): number | undefined {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** A lock whose file was removed while it was waited for locks nothing any more. */
function isStill(fd: number, path: string): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.ino === fstatSync(fd).ino;
}

/** Owner and mode count only when the directory is made, and not when it is filled from somewhere. */
function create(directory: string, request: HoldCacheRequest): void {
  if (existsSync(directory)) return;
  const { mount, seed } = request;
  const fresh = `${directory}.${process.pid}.new`;
  rmSync(fresh, { recursive: true, force: true });
  if (seed) seed(fresh);
  else {
    mkdirSync(fresh);
    // With a single id everything belongs to root, who runs the step.
    const keeper = new MetadataKeeper(request.sys);
    keeper.setOwner(bytesOf(fresh), mount);
    keeper.setMode(bytesOf(fresh), mount.mode);
  }
  try {
    renameSync(fresh, directory);
  } catch {
    // Another step with the same cache was faster.
    rmSync(fresh, { recursive: true, force: true });
  }
}
