import { resolve } from 'node:path';
import type { TravelingStep } from '../../cache/travel/cache-document.ts';
import { SlipwayError } from '../../errors/index.ts';
import { hideUrls } from '../../errors/redact-url.ts';
import type { Descriptor, Digest, Platform } from '../../image/types.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { asOwnVertex } from '../own-vertex.ts';
import type { RegistryAccess } from '../registry-access.ts';
import type { CacheSource } from './cache-source.ts';
import type { CacheFrom } from './options.ts';
import { MOUNT_LIMIT } from './packed-mounts.ts';

export interface ImportedCachesOptions {
  /** In the order in which they are to be asked. */
  from: readonly CacheFrom[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Of an image with an inline cache the one for this is taken. */
  platform: Platform;
  access: Pick<RegistryAccess, 'credentials' | 'insecure'> | undefined;
  emit: (event: BuildEvent) => void;
  signal: AbortSignal;
}

/** A blob, and the cache that has it. */
export interface CachedBlob {
  source: CacheSource;
  blob: Descriptor;
}

/**
 * The caches that a build looks into. Their documents are read when something is not in the store, all at once; their
 * layers are not fetched here. One that is not there, or no cache, is told of and does not count.
 */
export class ImportedCaches {
  readonly #options: ImportedCachesOptions;
  readonly #steps = new Map<string, TravelingStep>();
  readonly #definitions = new Set<string>();
  readonly #contents = new Map<string, string>();
  readonly #pools: RegistryPool[] = [];
  readonly #closers: (() => void)[] = [];
  #sources: CacheSource[] = [];
  #reading: Promise<void> | undefined;
  #withoutLayers = true;
  #believesContents = true;

  constructor(options: ImportedCachesOptions) {
    this.#options = options;
  }

  /** Reads the documents, once. Rejects only when the build is canceled. */
  ready(): Promise<void> {
    this.#reading ??= this.#read();
    return this.#reading;
  }

  /** What a key stands for, in the first cache that knows it. `blob` is undefined where none has the layer. */
  step(key: string): (TravelingStep & { blob: CachedBlob | undefined }) | undefined {
    const step = this.#steps.get(key);
    if (step === undefined) return undefined;
    const blob = this.blob(step.diffId);
    return blob === undefined && !this.#withoutLayers ? undefined : { ...step, blob };
  }

  /** The blob of a layer, where a cache has it. */
  blob(diffId: Digest): CachedBlob | undefined {
    for (const source of this.#sources) {
      const blob = source.blobs.get(diffId);
      if (blob !== undefined) return { source, blob };
    }
    return undefined;
  }

  /** The newest snapshot of a cache mount, in the first cache that has one. */
  mount(id: string): (CacheSource['mounts'][number] & { source: CacheSource }) | undefined {
    for (const source of this.#sources) {
      const mount = source.mounts.find((one) => one.id === id);
      if (mount !== undefined) return { ...mount, source };
    }
    return undefined;
  }

  hasDefinition(definition: string): boolean {
    return this.#definitions.has(definition);
  }

  /** The digest of what a selector chooses from layers. To be checked as soon as they are here. */
  async content(chain: string, selector: string): Promise<string | undefined> {
    await this.ready();
    return this.#contents.get(contentName(chain, selector));
  }

  /** Records without a layer count no more: one of those layers is needed. */
  forgetLayerless(): void {
    this.#withoutLayers = false;
  }

  /** Digests of files count no more: one of them was wrong. */
  forgetContents(): void {
    this.#believesContents = false;
    this.#index();
    this.#warn('what the imported caches say of files is not used: it is wrong of some');
  }

  /** Nothing of these caches counts any more, and the user is told why. */
  drop(sources: ReadonlySet<CacheSource>, error: unknown): void {
    this.#sources = this.#sources.filter((source) => !sources.has(source));
    this.#index();
    const names = [...sources].map(({ name }) => name).join(', ');
    this.#warn(`the cache ${names} is not used: ${textOf(error)}`);
  }

  async close(): Promise<void> {
    await this.#reading?.catch(() => {});
    await Promise.all(this.#pools.map((pool) => pool.close()));
    for (const close of this.#closers) close();
  }

  async #read(): Promise<void> {
    const found = await Promise.all(this.#options.from.map((from) => this.#readOne(from)));
    this.#sources = found.filter((source) => source !== undefined);
    this.#index();
  }

  /** The first source that knows a key counts, but one that has its layer goes before one that only says what it was. */
  #index(): void {
    this.#steps.clear();
    this.#definitions.clear();
    this.#contents.clear();
    for (const source of this.#sources) {
      for (const step of source.steps) {
        this.#definitions.add(step.definition);
        const known = this.#steps.get(step.key);
        if (known === undefined || (this.blob(known.diffId) === undefined && source.blobs.has(step.diffId)))
          this.#steps.set(step.key, step);
      }
      if (!this.#believesContents) continue;
      for (const { chain, selector, digest } of source.contents) {
        const name = contentName(chain, selector);
        if (!this.#contents.has(name)) this.#contents.set(name, digest);
      }
    }
  }

  async #readOne(from: CacheFrom): Promise<CacheSource | undefined> {
    const { emit, signal } = this.#options;
    const name = from.type === 'registry' ? from.ref : `local:${from.src}`;
    const own = {
      vertex: `importing cache ${name}`,
      name: `importing cache manifest from ${name}`,
      emit,
      signal,
      textOf,
    };
    try {
      const source = await asOwnVertex(own, () =>
        from.type === 'registry' ? this.#registry(from) : this.#layout(from),
      );
      return { ...source, mounts: this.#wantedMounts(source, from) };
    } catch (error) {
      if (signal.aborted) throw error;
      this.#warn(`the cache ${name} is not used: ${textOf(error)}`);
      return undefined;
    }
  }

  async #registry({ ref, insecure }: Extract<CacheFrom, { type: 'registry' }>): Promise<CacheSource> {
    const { env, signal, platform, access } = this.#options;
    const [{ openRegistries }, { registryCache }] = await Promise.all([
      import('../registry-access.ts'),
      import('./registry-cache.ts'),
    ]);
    const pool = openRegistries({
      env,
      signal,
      ...access,
      ...(insecure === true && { insecure: () => true }),
    });
    this.#pools.push(pool);
    return registryCache(pool, { ref, platform, signal });
  }

  async #layout(from: Extract<CacheFrom, { type: 'local' }>): Promise<CacheSource> {
    const [{ openDirectoryFiles }, { layoutCache }] = await Promise.all([
      import('../../export/directory-files.ts'),
      import('./layout-cache.ts'),
    ]);
    const files = openDirectoryFiles(resolve(this.#options.cwd, from.src));
    this.#closers.push(() => files.close());
    return layoutCache({ name: `local:${from.src}`, files, tag: from.tag, digest: from.digest });
  }

  #wantedMounts({ mounts, name }: CacheSource, { mounts: ids, mountLimit = MOUNT_LIMIT }: CacheFrom) {
    return mounts.filter(({ id, size }) => {
      if (ids !== undefined && !ids.includes(id)) return false;
      if (size <= mountLimit) return true;
      this.#warn(
        `the cache mount ${id} of ${name} is not used: its ${size} bytes are more than ${mountLimit}`,
      );
      return false;
    });
  }

  #warn(message: string): void {
    this.#options.emit({ type: 'warning', code: 'CACHE_IMPORT', message });
  }
}

function contentName(chain: string, selector: string): string {
  return `${chain}\n${selector}`;
}

function textOf(error: unknown): string {
  return hideUrls(error instanceof Error ? error.message : String(error));
}

/** The error that makes a build begin again without what it has just learned cannot be had. */
export function lost(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError('unavailable', message, { code: 'CACHE_LAYER_LOST', cause });
}
