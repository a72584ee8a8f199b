import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { TravelingMount } from '../../cache/travel/cache-document.ts';
import { SlipwayError } from '../../errors/index.ts';
import type { PackCacheRequest, PackedCache } from '../../execute/run/cache-snapshot.ts';
import type { LayerEncoding } from '../../export/types.ts';
import type { Descriptor } from '../../image/types.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSession } from '../session.ts';

/** Bytes that a cache mount may hold to travel, where nothing else is said. */
export const MOUNT_LIMIT = 2 * 2 ** 30;

/** A cache mount whose archive lies in a file of the store's tmp/. */
export interface PackedMount extends TravelingMount {
  blob: Descriptor;
  path: string;
}

export interface PackMountsRequest {
  store: Store;
  session: StoreSession;
  ids: readonly string[];
  /** Bytes of one, not compressed. */
  limit: number;
  encoding: LayerEncoding;
  signal: AbortSignal;
}

/** Packs cache mounts, as far as that can be; `missing` says of the others why not. Whoever packs releases. */
export async function packMounts(
  request: PackMountsRequest,
): Promise<{ mounts: PackedMount[]; missing: Map<string, SlipwayError>; release(): void }> {
  const { store, session, ids, limit, encoding, signal } = request;
  const mounts: PackedMount[] = [];
  const missing = new Map<string, SlipwayError>();
  const files: string[] = [];
  const release = (): void => {
    for (const file of files) rmSync(file, { force: true });
  };
  try {
    const { client } = await session.worker();
    for (const id of new Set(ids)) {
      const path = temporaryPath(store.root, session.lease(), `mount-${randomUUID()}`);
      files.push(path);
      const task: PackCacheRequest = { id, path, limit, encoding };
      const packed = await client
        .call<PackedCache>('cache-pack', task, { signal })
        .catch((error: unknown) => {
          if (signal.aborted || !(error instanceof SlipwayError)) throw error;
          return error;
        });
      if (packed instanceof SlipwayError) missing.set(id, packed);
      else if ('none' in packed) missing.set(id, reason(packed.none, id, limit));
      else mounts.push({ id, ...packed, path });
    }
    return { mounts, missing, release };
  } catch (error) {
    release();
    throw error;
  }
}

function reason(none: 'absent' | 'busy' | 'too-large', id: string, limit: number): SlipwayError {
  if (none === 'absent')
    return new SlipwayError('not-found', `no such cache mount: ${id}`, {
      code: 'CACHE_NOT_FOUND',
      hint: 'slipway cache ls shows them by their ids.',
    });
  return none === 'busy' ? mountInUse(id) : mountTooLarge(id, limit);
}

/** The error of a mount that a step has. */
export function mountInUse(id: string): SlipwayError {
  return new SlipwayError('conflict', `a running build has it mounted: ${id}`, {
    code: 'CACHE_IN_USE',
    hint: 'Wait for the build to end, then try again.',
  });
}

/** The error of a mount that holds more than it may. */
export function mountTooLarge(id: string, limit: number): SlipwayError {
  return new SlipwayError('exhausted', `the cache mount ${id} has more than the limit of ${limit} bytes`, {
    code: 'CACHE_MOUNT_TOO_LARGE',
    hint: 'mount-limit= of --cache-to and --cache-from, and --limit of cache export and import, give another.',
  });
}
