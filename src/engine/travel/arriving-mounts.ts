import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheHome } from '../../execute/run/cache-home.ts';
import type { RunOperation } from '../../plan/types.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { Store } from '../../store/store.ts';
import { asOwnVertex } from '../own-vertex.ts';
import type { StoreSession } from '../session.ts';
import type { ImportedCaches } from './imported-caches.ts';

export interface ArrivingMountsOptions {
  store: Store;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  emit: (event: BuildEvent) => void;
}

/** Fills cache mounts that the store does not have from imported caches, each when the first step is about to use it. */
export class ArrivingMounts {
  readonly #caches: ImportedCaches;
  readonly #options: ArrivingMountsOptions;
  readonly #filled = new Map<string, Promise<void>>();

  constructor(caches: ImportedCaches, options: ArrivingMountsOptions) {
    this.#caches = caches;
    this.#options = options;
  }

  /** A step is going to run. Rejects only when the build is canceled: a cache that stays empty is no failure. */
  async fill({ mounts }: RunOperation): Promise<void> {
    for (const mount of mounts) {
      if (mount.type !== 'cache') continue;
      const { id } = mount;
      let filling = this.#filled.get(id);
      if (filling === undefined) {
        filling = this.#fillOne(id);
        this.#filled.set(id, filling);
      }
      await filling;
    }
  }

  async #fillOne(id: string): Promise<void> {
    const { store, emit, signal } = this.#options;
    if (existsSync(join(cacheHome(join(store.root, 'cache'), id), '0'))) return;
    await this.#caches.ready();
    const found = this.#caches.mount(id);
    if (found === undefined) return;
    const vertex = `cache mount ${id}`;
    const { digest, size: total } = found.blob;
    const status = (current: number, done: boolean): void =>
      emit({ type: 'status', vertex, id: digest, current, total, unit: 'bytes', time: Date.now(), done });
    try {
      await asOwnVertex({ vertex, name: `[internal] load cache mount ${id}`, emit, signal }, async () => {
        const { fillMount } = await import('./fill-mount.ts');
        await fillMount({
          ...this.#options,
          mount: found,
          source: found.source,
          replace: false,
          onArrived: (bytes) => status(bytes, false),
        });
        status(total, true);
      });
    } catch (error) {
      if (signal.aborted) throw error;
      const message = error instanceof Error ? error.message : String(error);
      emit({
        type: 'warning',
        code: 'CACHE_MOUNT',
        message: `the cache mount ${id} begins empty: ${message}`,
      });
    }
  }
}
