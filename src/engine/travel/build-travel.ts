import type { StoreCache } from '../../cache/store-cache.ts';
import { INLINE_MEMBER, inlineCache } from '../../cache/travel/cache-document.ts';
import type { Digest, Platform } from '../../image/types.ts';
import type { RunOperation } from '../../plan/types.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { StepObserver } from '../../solve/step-observer.ts';
import type { Store } from '../../store/store.ts';
import type { BuildOptions } from '../options.ts';
import { type SelectedContents, storeContents } from '../selected-contents.ts';
import type { StoreSession } from '../session.ts';
import { ArrivingMounts } from './arriving-mounts.ts';
import { ImportedCaches, lost } from './imported-caches.ts';
import { importingBackend } from './importing-backend.ts';
import type { CacheTo } from './options.ts';
import { RecordCollector } from './record-collector.ts';

export interface BuildTravelOptions {
  options: BuildOptions;
  /** Caches that the build leaves. */
  to: readonly CacheTo[];
  store: Store;
  env: NodeJS.ProcessEnv;
  platform: Platform;
  emit: (event: BuildEvent) => void;
  signal: AbortSignal;
}

/** What one attempt at a build works with. */
export interface TravelAttempt {
  cache: StoreCache;
  observer: StepObserver;
  /** Also by an imported cache's word. */
  contents: SelectedContents;
  /** Called before a step runs: its cache mounts may be in an imported cache. */
  fillMounts: ((operation: RunOperation) => Promise<void>) | undefined;
}

/** The caches of one build that are not the store's: those that it looks into and those that it leaves. */
export class BuildTravel {
  readonly #options: BuildTravelOptions;
  readonly #imported: ImportedCaches | undefined;
  #collector: RecordCollector | undefined;

  constructor(options: BuildTravelOptions) {
    this.#options = options;
    const { env, emit, signal, platform } = options;
    const { cacheFrom = [], cwd = process.cwd(), registries: access } = options.options;
    if (cacheFrom.length > 0)
      this.#imported = new ImportedCaches({ from: cacheFrom, env, cwd, platform, access, emit, signal });
  }

  /** Begins the build, also once more without what turned out not to be had. */
  attempt(own: StoreCache, session: StoreSession, observer: StepObserver): TravelAttempt {
    const { store, env, emit, signal } = this.#options;
    const collector = new RecordCollector(observer);
    this.#collector = collector;
    const common = { observer: collector, contents: this.#contents(collector) };
    const imported = this.#imported;
    if (imported === undefined) return { ...common, cache: own, fillMounts: undefined };
    const work = { store, session, env, emit, signal };
    const mounts = new ArrivingMounts(imported, work);
    // They are to begin empty.
    const reset = this.#options.options.steps?.resetCacheMounts === true;
    return {
      ...common,
      cache: importingBackend(own, imported, work),
      fillMounts: reset ? undefined : (operation) => mounts.fill(operation),
    };
  }

  /** Results that came from elsewhere are the store's own from now on, as far as their layers are here. */
  keepForeign(own: StoreCache): void {
    this.#collector?.keepForeign(own);
  }

  /** What the image's configuration is to hold of this; empty unless an inline cache was asked for. */
  inline(): Record<string, unknown> {
    if (!this.#options.to.some(({ type }) => type === 'inline')) return {};
    const collector = this.#collector!;
    return { [INLINE_MEMBER]: inlineCache({ steps: collector.steps(), contents: collector.contents() }) };
  }

  /** The results are where they belong: now the caches. Errors as `exportCaches`. */
  async export(session: StoreSession, results: ReadonlySet<Digest>): Promise<void> {
    const { to, store, env, emit, signal, options } = this.#options;
    if (!to.some(({ type }) => type !== 'inline')) return;
    const { exportCaches } = await import('./export-caches.ts');
    await exportCaches({
      to,
      collector: this.#collector!,
      results,
      imported: this.#imported,
      store,
      session,
      env,
      cwd: options.cwd ?? process.cwd(),
      access: options.registries,
      emit,
      signal,
    });
  }

  async close(): Promise<void> {
    await this.#imported?.close();
  }

  #contents(collector: RecordCollector): SelectedContents {
    const own = storeContents(this.#options.store);
    const imported = this.#imported;
    const believed = new Map<string, string>();
    return {
      async get(chain, selector) {
        const known = await own.get(chain, selector);
        const digest = known ?? (await imported?.content(chain, selector));
        if (digest === undefined) return undefined;
        if (known === undefined) believed.set(`${chain}\n${selector}`, digest);
        collector.content(chain, selector, digest);
        return digest;
      },
      put(chain, selector, digest) {
        own.put(chain, selector, digest);
        collector.content(chain, selector, digest);
      },
      async check(chain, selector, digest) {
        const name = `${chain}\n${selector}`;
        const said = believed.get(name);
        if (said === undefined) return;
        const found = await digest();
        if (found !== said) {
          imported!.forgetContents();
          throw lost('an imported cache says something else of files than they are');
        }
        believed.delete(name);
        own.put(chain, selector, found);
      },
    };
  }
}
