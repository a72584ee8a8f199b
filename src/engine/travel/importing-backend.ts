import type { CacheBackend, StoredLayer } from '../../cache/cache-backend.ts';
import { SlipwayError } from '../../errors/index.ts';
import type { BuildEvent } from '../../progress/events.ts';
import { isTrusted, layerByDiffId } from '../../store/layers.ts';
import type { Store } from '../../store/store.ts';
import { bootId } from '../../sys/process-identity.ts';
import { asOwnVertex } from '../own-vertex.ts';
import { bringLayers, type IncomingLayer, type LayerProgress } from '../pull/pull-layers.ts';
import type { StoreSession } from '../session.ts';
import type { CacheSource } from './cache-source.ts';
import { type ImportedCaches, lost } from './imported-caches.ts';

export interface ImportingOptions {
  store: Store;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  emit: (event: BuildEvent) => void;
}

/**
 * A local record of results with imported caches behind it. A key that only those know gives a layer that is nowhere
 * yet; it is fetched, verified and unpacked when something needs it.
 */
export function importingBackend<Backend extends CacheBackend>(
  backend: Backend,
  caches: ImportedCaches,
  options: ImportingOptions,
): Backend {
  const { store } = options;
  const vertex = new FetchVertex(options);
  /** One after the other, so that what several snapshots share is fetched once. */
  let last: Promise<unknown> = Promise.resolve();

  const here = (diffId: string): StoredLayer | undefined => {
    const layer = layerByDiffId(store, diffId);
    if (layer === undefined || layer.fits !== undefined || !isTrusted(layer, bootId())) return undefined;
    // It may have no record that keeps it: the build holds it.
    return backend.layersOf([diffId])?.[0];
  };

  const bring = async (chain: readonly StoredLayer[]): Promise<StoredLayer[]> => {
    const used = new Set<CacheSource>();
    const incoming = chain.map((layer): IncomingLayer => {
      const { diffId } = layer;
      const present = layer.stack.length > 0 ? layer : here(diffId);
      if (present !== undefined) return { diffId, present: present.stack };
      const found = caches.blob(diffId);
      if (found === undefined) {
        caches.forgetLayerless();
        throw lost(`no cache has the layer ${diffId}`);
      }
      const { source, blob } = found;
      used.add(source);
      return { diffId, descriptor: blob, sources: (signal) => source.sourcesOf(blob, signal) };
    });
    try {
      await vertex.during(incoming, (onProgress) => bringLayers(incoming, { ...options, onProgress }));
    } catch (error) {
      if (options.signal.aborted || isOurs(error)) throw error;
      caches.drop(used, error);
      throw lost('a layer of an imported cache cannot be had', error);
    }
    const stored = backend.layersOf(chain.map(({ diffId }) => diffId));
    if (stored === undefined) throw lost('a layer of an imported cache is gone');
    return stored;
  };

  return {
    ...backend,
    ready: () => caches.ready(),
    lookup: (key) => {
      const own = backend.lookup(key);
      if (own !== undefined) return own;
      const step = caches.step(key);
      if (step === undefined) return undefined;
      const { diffId, size, created = new Date().toISOString(), durationMs = 0 } = step;
      const layer = here(diffId);
      if (layer !== undefined) return { layer, created, durationMs, buildId: '' };
      return { layer: { stack: [], diffId, size }, created, durationMs, buildId: '', remote: true };
    },
    hasDefinition: (definition) => backend.hasDefinition(definition) || caches.hasDefinition(definition),
    bring: (chain) => {
      const bringing = last.then(() => bring(chain));
      last = bringing.catch(() => {});
      return bringing;
    },
  };
}

/** Not the cache's fault. */
function isOurs(error: unknown): boolean {
  return error instanceof SlipwayError && (error.code === 'DISK_FULL' || error.kind === 'internal');
}

/** Shows the blobs that are fetched, as BuildKit shows those of a base. */
class FetchVertex {
  readonly #options: Pick<ImportingOptions, 'emit' | 'signal'>;
  #count = 0;

  constructor(options: Pick<ImportingOptions, 'emit' | 'signal'>) {
    this.#options = options;
  }

  async during(
    incoming: readonly IncomingLayer[],
    work: (onProgress: (progress: LayerProgress) => void) => Promise<void>,
  ): Promise<void> {
    const sizes = new Map(
      incoming.flatMap((one) => ('descriptor' in one ? [[one.descriptor.digest, one.descriptor.size]] : [])),
    );
    if (sizes.size === 0) return;
    const { emit } = this.#options;
    const vertex = `cached layers ${++this.#count}`;
    const own = { ...this.#options, vertex, name: '[internal] load cached layers' };
    await asOwnVertex(own, () =>
      work(({ digest, state, current = 0, total = sizes.get(digest) ?? 0 }) => {
        if (state !== 'downloading' && state !== 'downloaded') return;
        const done = state === 'downloaded';
        emit({
          type: 'status',
          vertex,
          id: digest,
          current: done ? total : current,
          total,
          unit: 'bytes',
          time: Date.now(),
          done,
        });
      }),
    );
  }
}
