import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno } from '../../errors/index.ts';
import type { LayerEncoding } from '../../export/types.ts';
import type { Descriptor, Digest } from '../../image/types.ts';
import { deleteTree } from '../../store/collect.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { WorkerHost } from '../worker/host.ts';
import { runHeavy } from '../worker/thread-pool.ts';
import { cacheHome, nameCache } from './cache-home.ts';

/** The directory that all steps share; further ones are made for `private` alone and thrown away at leisure. */
const FIRST = '0';

/** How long a cache that a step has mounted is waited for: the next build takes it along. */
const WAIT_MS = 2000;
const POLL_MS = 50;

export interface PackCacheRequest {
  id: string;
  /** The file of tmp/ that the blob becomes. */
  path: string;
  /** Bytes of the archive, not compressed. */
  limit: number;
  encoding: LayerEncoding;
}

/** A snapshot as a blob, or why there is none. */
export type PackedCache =
  | { diffId: Digest; size: number; blob: Descriptor }
  | { none: 'absent' | 'busy' | 'too-large' };

export interface UnpackCacheRequest {
  id: string;
  /** File of the verified blob. */
  path: string;
  diffId: Digest;
  /** Bytes of all files. */
  limit: number;
  /** Takes the place of a cache that is there. */
  replace: boolean;
}

/** What became of a snapshot that was to be a cache. */
export type UnpackedCache = 'filled' | 'present' | 'busy';

/** Packs what a cache mount holds while no step has it. Nothing of the cache changes. */
export async function packCache(
  host: WorkerHost,
  { id, path, limit, encoding }: PackCacheRequest,
  signal: AbortSignal,
): Promise<PackedCache> {
  const home = cacheHome(join(host.store, 'cache'), id);
  const directory = join(home, FIRST);
  if (!existsSync(directory)) return { none: 'absent' };
  const lock = await lockAlone(host, home, signal);
  if (lock === undefined) return { none: 'busy' };
  try {
    if (!existsSync(directory)) return { none: 'absent' };
    return await runHeavy(
      'packCache',
      { directory, path, scratch: `${path}-tar`, limit, encoding },
      { signal },
    );
  } finally {
    closeSync(lock);
  }
}

/**
 * Makes a cache mount of a snapshot. It is unpacked beside its place, synced and then renamed: whenever this process
 * or the machine ends, there is the old cache, the new one or none.
 */
export async function unpackCache(
  host: WorkerHost,
  request: UnpackCacheRequest,
  signal: AbortSignal,
): Promise<UnpackedCache> {
  const { id, path, diffId, limit, replace } = request;
  const home = cacheHome(join(host.store, 'cache'), id);
  const directory = join(home, FIRST);
  if (!replace && existsSync(directory)) return 'present';
  const fresh = temporaryPath(host.store, host.lease, `cache-${randomUUID()}`);
  mkdirSync(fresh, { mode: 0o700 });
  try {
    await runHeavy('unpackCache', { directory: fresh, path, diffId, limit }, { signal });
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const lock = await lockAlone(host, home, signal);
    if (lock === undefined) return 'busy';
    try {
      if (existsSync(directory)) {
        if (!replace) return 'present';
        const old = temporaryPath(host.store, host.lease, `cache-${randomUUID()}`);
        renameSync(directory, old);
        renameSync(fresh, directory);
        deleteTree(old);
      } else {
        renameSync(fresh, directory);
      }
      nameCache(home, id);
      return 'filled';
    } finally {
      closeSync(lock);
    }
  } finally {
    if (existsSync(fresh)) deleteTree(fresh);
  }
}

/** The lock of a cache's first directory, for nobody else; undefined when a step goes on having it. */
async function lockAlone(
  { sys }: WorkerHost,
  home: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const path = join(home, `${FIRST}.lock`);
  for (let waited = 0; waited <= WAIT_MS; waited += POLL_MS) {
    const fd = openIfThere(path, home);
    if (fd === undefined) return undefined;
    if (sys.flock(fd, 'exclusive', { nonBlocking: true })) {
      // One that was removed while it was waited for locks nothing.
      if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return fd;
      closeSync(fd);
      continue;
    }
    closeSync(fd);
    await sleep(POLL_MS, undefined, { signal });
  }
  return undefined;
}

function openIfThere(path: string, home: string): number | undefined {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if (isErrno(error, 'ENOENT') && !existsSync(home)) return undefined;
    throw error;
  }
}
