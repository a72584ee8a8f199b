import { createHash, randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunMount } from '../../plan/types.ts';
import { deleteTree } from '../../store/collect.ts';
import { bytesOf } from '../../sys/bytes.ts';
import type { Sys } from '../../sys/sys.ts';
import { MetadataKeeper } from '../step/metadata-keeper.ts';

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
  /** Caches that are to begin anew (`--no-cache`), and the homes of those that have: each does once in a build. */
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
  const { sys, mount, signal } = request;
  const home = join(request.caches, createHash('sha256').update(mount.id).digest('hex'));
  mkdirSync(home, { recursive: true, mode: 0o700 });
  for (let instance = 0; ; ) {
    const fd = openSync(join(home, `${instance}.lock`), 'a', 0o600);
    const kind = mount.sharing === 'shared' ? 'shared' : 'exclusive';
    if (sys.flock(fd, kind, { nonBlocking: true })) {
      const directory = join(home, String(instance));
      if (request.renewed && !request.renewed.has(home)) {
        request.renewed.add(home);
        dropAll(sys, home, { instance, fd });
        sys.flock(fd, kind);
      }
      create(directory, request);
      return { directory, release: () => closeSync(fd) };
    }
    closeSync(fd);
    if (mount.sharing === 'private') instance++;
    else await sleep(POLL_MS, undefined, { signal });
  }
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
