import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { openArchive } from '../../export/input.ts';
import { localPlatform } from '../../image/platform.ts';
import { parseReference } from '../../image/reference.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import { openRegistries, type RegistryAccess } from '../registry-access.ts';
import type { StoreSession } from '../session.ts';
import { type StoreOptions, withSession } from '../with-session.ts';
import { type CacheContent, cacheContent, encodingOf } from './cache-content.ts';
import type { CacheSource } from './cache-source.ts';
import { fillMount } from './fill-mount.ts';
import { layoutCache } from './layout-cache.ts';
import type { MountPlace } from './mount-place.ts';
import type { CacheToOptions } from './options.ts';
import { MOUNT_LIMIT, mountInUse, mountTooLarge, packMounts } from './packed-mounts.ts';
import { pushCache } from './push-cache.ts';
import { registryCache } from './registry-cache.ts';
import { writeCacheArchive } from './write-archive.ts';
import { writeCacheLayout } from './write-layout.ts';

interface ByHandOptions extends StoreOptions {
  access?: Pick<RegistryAccess, 'credentials' | 'insecure'>;
}

export interface ExportMountsOptions extends ByHandOptions {
  ids: readonly string[];
  to: MountPlace;
  /** Bytes of one, not compressed. Default 2 GiB. */
  limit?: number | undefined;
  compression?: Pick<CacheToOptions, 'compression' | 'compressionLevel'> | undefined;
}

/**
 * Writes snapshots of cache mounts to a place from which `importMounts` and a build with `cacheFrom` read them.
 *
 * @throws SlipwayError `not-found` CACHE_NOT_FOUND and `conflict` CACHE_IN_USE for a mount that is not there or that a
 * step has; `exhausted` CACHE_MOUNT_TOO_LARGE; those of the place's writer
 */
export async function exportMounts(options: ExportMountsOptions): Promise<void> {
  const { ids, limit = MOUNT_LIMIT, compression = {} } = options;
  const signal = options.signal ?? new AbortController().signal;
  await withSession(options, async (store, session) => {
    const encoding = encodingOf(compression);
    const packed = await packMounts({ store, session, ids, limit, encoding, signal });
    try {
      for (const error of packed.missing.values()) throw error;
      const content = (registry: string): CacheContent =>
        cacheContent({
          store,
          session,
          env: options.env ?? process.env,
          signal,
          registry,
          steps: [],
          contents: [],
          layers: new Set(),
          mounts: packed.mounts,
          imported: () => undefined,
          options: {},
        });
      await writeTo(content, options, signal);
    } finally {
      packed.release();
    }
  });
}

async function writeTo(
  content: (registry: string) => CacheContent,
  { to, env = process.env, access }: ExportMountsOptions,
  signal: AbortSignal,
): Promise<void> {
  const note = (): void => {};
  if (to.kind === 'directory') {
    const { path, tag = 'latest' } = to;
    await writeCacheLayout({ directory: resolve(path), tag, content: content(''), note, signal });
  } else if (to.kind === 'archive') {
    const { path, tag = 'latest' } = to;
    const output =
      path === undefined
        ? ({ kind: 'fd', fd: 1 } as const)
        : ({ kind: 'file', path: resolve(path) } as const);
    await writeCacheArchive(content(''), output, { tag, signal });
  } else {
    const { ref } = to;
    const pool = openRegistries({ env, signal, ...access });
    try {
      await pushCache({ pool, ref, content: content(parseReference(ref).domain), env, note, signal });
    } finally {
      await pool.close();
    }
  }
}

export interface ImportMountsOptions extends ByHandOptions {
  from: MountPlace;
  /** Which ones; without any all that there are. */
  ids: readonly string[];
  /** Bytes of files of one. Default 2 GiB. */
  limit?: number | undefined;
  /** Told of each that is there now. */
  onImported: (id: string) => void;
}

/**
 * Makes cache mounts of the snapshots in a place; one that is there is replaced.
 *
 * @throws SlipwayError `not-found` CACHE_NOT_FOUND, `conflict` CACHE_IN_USE, `exhausted` CACHE_MOUNT_TOO_LARGE; those of
 * the place's reader and of `fillMount`
 */
export async function importMounts(options: ImportMountsOptions): Promise<void> {
  const signal = options.signal ?? new AbortController().signal;
  await withSession(options, async (store, session) => {
    const { source, close } = await openPlace(store, session, options, signal);
    try {
      await importAll(source, { ...options, store, session, signal });
    } finally {
      await close();
    }
  });
}

async function importAll(
  source: CacheSource,
  work: ImportMountsOptions & { store: Store; session: StoreSession; signal: AbortSignal },
): Promise<void> {
  const { ids, limit = MOUNT_LIMIT, store, session, env = process.env, signal, onImported } = work;
  const chosen = ids.length === 0 ? source.mounts : ids.map((id) => find(source, id));
  if (chosen.length === 0)
    throw new SlipwayError('not-found', 'there are no cache mounts in it', { code: 'CACHE_NOT_FOUND' });
  for (const mount of chosen) if (mount.size > limit) throw mountTooLarge(mount.id, limit);
  for (const mount of chosen) {
    const outcome = await fillMount({ store, session, env, signal, mount, source, replace: true });
    if (outcome === 'busy') throw mountInUse(mount.id);
    onImported(mount.id);
  }
}

async function openPlace(
  store: Store,
  session: StoreSession,
  { from, env = process.env, access }: ImportMountsOptions,
  signal: AbortSignal,
): Promise<{ source: CacheSource; close(): Promise<void> }> {
  if (from.kind === 'registry') {
    const pool = openRegistries({ env, signal, ...access });
    try {
      const source = await registryCache(pool, { ref: from.ref, platform: localPlatform(), signal });
      return { source, close: () => pool.close() };
    } catch (error) {
      await pool.close();
      throw error;
    }
  }
  const { path, tag } = from;
  const scratch = temporaryPath(store.root, session.lease(), `mounts-${randomUUID()}`);
  const input =
    path === undefined
      ? ({ kind: 'fd', fd: 0 } as const)
      : ({ kind: 'file', path: resolve(path), name: path } as const);
  const files = await openArchive(input, { scratch, aborted: () => signal.aborted });
  try {
    const source = await layoutCache({ name: path ?? 'standard input', files, tag });
    return { source, close: async () => files.close() };
  } catch (error) {
    files.close();
    throw error;
  }
}

function find(source: CacheSource, id: string): CacheSource['mounts'][number] {
  const found = source.mounts.find((mount) => mount.id === id);
  if (found !== undefined) return found;
  const there = source.mounts.map((mount) => mount.id).join(', ');
  throw new SlipwayError('not-found', `no such cache mount: ${id}`, {
    code: 'CACHE_NOT_FOUND',
    hint: there === '' ? 'There are none in it.' : `In it are ${there}.`,
  });
}
