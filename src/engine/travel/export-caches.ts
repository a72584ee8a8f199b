import { resolve } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { parseReference } from '../../image/reference.ts';
import type { Digest } from '../../image/types.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { Store } from '../../store/store.ts';
import { asOwnVertex } from '../own-vertex.ts';
import { openRegistries, type RegistryAccess } from '../registry-access.ts';
import type { StoreSession } from '../session.ts';
import { type CacheContentRequest, cacheContent, encodingOf, type PassedMount } from './cache-content.ts';
import type { ImportedCaches } from './imported-caches.ts';
import type { CacheTo } from './options.ts';
import { MOUNT_LIMIT, type PackedMount, packMounts } from './packed-mounts.ts';
import { pushCache } from './push-cache.ts';
import type { RecordCollector } from './record-collector.ts';
import { writeCacheLayout } from './write-layout.ts';

type Destination = Exclude<CacheTo, { type: 'inline' }>;

export interface ExportCachesRequest {
  to: readonly CacheTo[];
  collector: RecordCollector;
  /** Layers of the build's results. */
  results: ReadonlySet<Digest>;
  imported: ImportedCaches | undefined;
  store: Store;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  cwd: string;
  access: Pick<RegistryAccess, 'credentials' | 'insecure'> | undefined;
  emit: (event: BuildEvent) => void;
  signal: AbortSignal;
}

/**
 * Leaves the results of a build's steps in caches, one after the other.
 *
 * @throws SlipwayError what the first destination failed with that may not fail; the others are tried before that
 */
export async function exportCaches(request: ExportCachesRequest): Promise<void> {
  const failures: unknown[] = [];
  for (const [index, to] of request.to.entries()) {
    if (to.type === 'inline') continue;
    const failure = await exportOne(to, `exporting cache ${index}`, request);
    if (failure !== undefined) failures.push(failure.error);
  }
  if (failures.length > 0) throw failures[0];
}

async function exportOne(
  to: Destination,
  vertex: string,
  request: ExportCachesRequest,
): Promise<{ error: unknown } | undefined> {
  const { emit, signal } = request;
  const name = `exporting cache to ${to.type === 'registry' ? 'registry' : 'client directory'}`;
  const note = (id: string): void =>
    emit({ type: 'status', vertex, id, current: 0, unit: 'items', time: Date.now(), done: true });
  try {
    await asOwnVertex({ vertex, name, emit, signal }, async () => {
      note('preparing build cache for export');
      await write(to, note, request).catch((cause: unknown) => {
        throw signal.aborted ? cause : explained(to, cause);
      });
    });
    return undefined;
  } catch (error) {
    if (signal.aborted) throw error;
    if (to.ignoreError !== true) return { error };
    const { message } = error as Error;
    emit({ type: 'warning', code: 'CACHE_EXPORT', message: `the cache was not exported: ${message}` });
    return undefined;
  }
}

async function write(
  to: Destination,
  note: (what: string) => void,
  request: ExportCachesRequest,
): Promise<void> {
  const packed = await mountsFor(to, request);
  try {
    await writeWith(packed.mounts, { to, note, request });
  } finally {
    packed.release();
  }
}

/** Chosen cache mounts: as they are here, else as an imported cache has them. Those that are nowhere are told of. */
async function mountsFor(
  { mounts: ids = [], mountLimit = MOUNT_LIMIT, ...options }: Destination,
  { store, session, imported, emit, signal }: ExportCachesRequest,
): Promise<{ mounts: (PackedMount | PassedMount)[]; release(): void }> {
  if (ids.length === 0) return { mounts: [], release: () => {} };
  const encoding = encodingOf(options);
  const packed = await packMounts({ store, session, ids, limit: mountLimit, encoding, signal });
  if (packed.missing.size > 0) await imported?.ready();
  const mounts: (PackedMount | PassedMount)[] = [...packed.mounts];
  for (const [id, { message: why }] of packed.missing) {
    const passed = imported?.mount(id);
    if (passed !== undefined) mounts.push(passed);
    else
      emit({
        type: 'warning',
        code: 'CACHE_MOUNT',
        message: `the cache mount ${id} is not exported: ${why}`,
      });
  }
  return { mounts, release: packed.release };
}

async function writeWith(
  mounts: (PackedMount | PassedMount)[],
  { to, note, request }: { to: Destination; note: (what: string) => void; request: ExportCachesRequest },
): Promise<void> {
  const { collector, results, imported, env, signal, cwd, access } = request;
  const steps = collector.steps();
  const common: Omit<CacheContentRequest, 'registry'> = {
    ...request,
    steps,
    contents: collector.contents(),
    layers: to.mode === 'max' ? new Set(steps.map(({ diffId }) => diffId)) : results,
    mounts,
    imported: (diffId) => imported?.blob(diffId),
    options: to,
  };
  if (to.type === 'local') {
    const content = cacheContent({ ...common, registry: '' });
    const { dest, tag = 'latest' } = to;
    await writeCacheLayout({ directory: resolve(cwd, dest), tag, content, note, signal });
    return;
  }
  const insecure = to.insecure === true ? { insecure: () => true } : {};
  const pool = openRegistries({ env, signal, ...access, ...insecure });
  try {
    const content = cacheContent({ ...common, registry: parseReference(to.ref).domain });
    await pushCache({ pool, ref: to.ref, content, env, note, signal });
  } finally {
    await pool.close();
  }
}

function explained(to: Destination, cause: unknown): unknown {
  if (!(cause instanceof SlipwayError)) return cause;
  const place = to.type === 'registry' ? to.ref : to.dest;
  return new SlipwayError(cause.kind, `failed to export the cache to ${place}: ${cause.message}`, {
    code: cause.code,
    hint: cause.hint ?? 'The image itself is complete. With ignore-error=true this is a warning.',
    cause,
  });
}
