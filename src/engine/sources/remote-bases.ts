import { SlipwayError } from '../../errors/index.ts';
import { digestOf } from '../../image/digest.ts';
import { parseReference } from '../../image/reference.ts';
import type { Digest, ImageConfig, Platform } from '../../image/types.ts';
import type { ResolvedImage } from '../../plan/options.ts';
import type { ImageOperation, NodeId } from '../../plan/types.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { RemoteImage } from '../../registry/resolve-image.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { imageById, imageByName, imageDocuments } from '../../store/images.ts';
import { indexOf, memberFor } from '../../store/indexes.ts';
import type { Store } from '../../store/store.ts';
import { asOwnVertex, endFailed } from '../own-vertex.ts';
import type { LayerProgress } from '../pull/pull-layers.ts';
import type { RegistryAccess } from '../registry-access.ts';
import type { StoreSession } from '../session.ts';

/** When registries are asked for an image: each time, when the store does not have it, or not at all. */
export type PullPolicy = 'always' | 'missing' | 'never';

export interface RemoteBasesOptions {
  store: Store;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** Default: SLIPWAY_PULL, else `missing`. */
  policy: PullPolicy | undefined;
  access: Pick<RegistryAccess, 'credentials' | 'insecure'> | undefined;
  emit: (event: BuildEvent) => void;
  /** Registries that are asked are told of. Not where every look-up is (`InternalVertices`). */
  tellsLookUps: boolean;
}

/**
 * The images that a Dockerfile names. Their documents are asked for when the plan is made; their layers are fetched when
 * something needs them, and the image then has its name in the store. Modules of the network load when a registry is
 * asked.
 */
export class RemoteBases {
  readonly #options: RemoteBasesOptions;
  readonly #policy: PullPolicy;
  readonly #asked = new Map<string, Promise<RemoteImage | undefined>>();
  readonly #found = new Map<Digest, RemoteImage>();
  readonly #fetched = new Map<Digest, Promise<void>>();
  /** One image at a time, so that layers of several are fetched once. */
  #last: Promise<unknown> = Promise.resolve();
  #pool: Promise<RegistryPool> | undefined;

  constructor(options: RemoteBasesOptions) {
    this.#options = options;
    this.#policy = options.policy ?? policyOf(options.env);
  }

  /** False when only the store counts. */
  get asks(): boolean {
    return this.#policy !== 'never';
  }

  /**
   * The image behind a normalised reference; undefined when there is none. An image of the store that is for another
   * platform counts where the registry has none that fits. Errors as `resolveImage` of src/registry.
   */
  async resolve(reference: string, platform: Platform): Promise<ResolvedImage | undefined> {
    const local = this.#local(reference, platform);
    if (this.#policy === 'never') return local;
    if (this.#policy === 'missing' && local !== undefined && runsOn(local.config, platform)) return local;
    let image: RemoteImage | undefined;
    try {
      image = await this.#ask(reference, platform);
    } catch (error) {
      const isCanceled = error instanceof SlipwayError && error.kind === 'canceled';
      if (local === undefined || this.#policy === 'always' || isCanceled) throw error;
    }
    if (image === undefined) return this.#policy === 'always' ? undefined : local;
    return this.#resolved(reference, image, platform);
  }

  /** Brings the layers of an image that `resolve` found, and the image with its name, into the store. */
  fetch(operation: ImageOperation, work: { vertex: NodeId; session: StoreSession }): Promise<void> {
    const known = this.#fetched.get(operation.imageId);
    if (known !== undefined) return known.then(() => this.#cached(work.vertex));
    const fetching = this.#last.then(() => this.#fetch(operation, work));
    this.#last = fetching.catch(() => {});
    this.#fetched.set(operation.imageId, fetching);
    return fetching;
  }

  /** Another stage of the same image. */
  #cached(vertex: NodeId): void {
    this.#options.emit({ type: 'ended', vertex, time: Date.now(), outcome: 'cached' });
  }

  async close(): Promise<void> {
    await (await this.#pool?.catch(() => undefined))?.close();
  }

  #local(reference: string, platform: Platform): ResolvedImage | undefined {
    const { store } = this.#options;
    const index = indexOf(store, reference);
    const id = index === undefined ? imageByName(store, reference)?.id : memberFor(index, platform).image;
    const documents = id && imageDocuments(store, id);
    if (!id || !documents) return undefined;
    return { imageId: id, config: documents.parsed, diffIds: documents.parsed.rootfs.diff_ids };
  }

  async #resolved(reference: string, image: RemoteImage, platform: Platform): Promise<ResolvedImage> {
    const { store } = this.#options;
    const { parsed: config, bytes } = image.config;
    const imageId = digestOf(bytes);
    const resolved = { imageId, config, diffIds: config.rootfs.diff_ids };
    if (imageById(store, imageId) === undefined) {
      this.#found.set(imageId, image);
      return { ...resolved, remote: platform };
    }
    // It is here under another name, or under this one.
    if (imageByName(store, reference)?.id !== imageId) {
      const { nameImage } = await import('../pull/pull-image.ts');
      nameImage(store, image, parseReference(reference));
    }
    return resolved;
  }

  #ask(reference: string, platform: Platform): Promise<RemoteImage | undefined> {
    const key = `${reference} ${JSON.stringify(platform)}`;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#askRegistry(reference, platform);
      this.#asked.set(key, asked);
    }
    return asked;
  }

  async #askRegistry(reference: string, platform: Platform): Promise<RemoteImage | undefined> {
    const { signal, tellsLookUps } = this.#options;
    const own = {
      vertex: `metadata ${reference} ${JSON.stringify(platform)}`,
      name: `[internal] load metadata for ${reference}`,
      emit: tellsLookUps ? this.#options.emit : () => {},
      signal,
    };
    try {
      return await asOwnVertex(own, async () => {
        const { resolveImage } = await import('../../registry/resolve-image.ts');
        return resolveImage(await this.#open(), parseReference(reference), platform, { signal });
      });
    } catch (error) {
      if (error instanceof SlipwayError && error.code === 'REGISTRY_MANIFEST_UNKNOWN') return undefined;
      throw error;
    }
  }

  #open(): Promise<RegistryPool> {
    const { env, signal, access } = this.#options;
    this.#pool ??= import('../registry-access.ts').then(({ openRegistries }) =>
      openRegistries({ env, signal, ...access }),
    );
    return this.#pool;
  }

  async #fetch(
    { imageId, reference }: ImageOperation,
    { vertex, session }: { vertex: NodeId; session: StoreSession },
  ): Promise<void> {
    const image = this.#found.get(imageId);
    if (image === undefined) {
      throw new SlipwayError('internal', `the image ${reference} was not resolved`, { code: 'BASE_UNKNOWN' });
    }
    const { store, env, signal, emit } = this.#options;
    const { pullImage } = await import('../pull/pull-image.ts');
    emit({ type: 'started', vertex, time: Date.now() });
    try {
      await pullImage(image, parseReference(reference), {
        store,
        session,
        env,
        signal,
        onProgress: (progress) => {
          const status = statusOf(progress, image);
          if (status !== undefined)
            emit({ type: 'status', vertex, unit: 'bytes', time: Date.now(), ...status });
        },
      });
      emit({ type: 'ended', vertex, time: Date.now(), outcome: 'done' });
    } catch (error) {
      endFailed({ vertex, emit, signal }, error);
      throw error;
    }
  }
}

/** What BuildKit shows of a layer on its way: its bytes, then that it is unpacked. */
function statusOf(
  { digest, state, current }: LayerProgress,
  image: RemoteImage,
): { id: string; current: number; total: number; done: boolean } | undefined {
  const total = image.manifest.parsed.layers.find((layer) => layer.digest === digest)?.size ?? 0;
  switch (state) {
    case 'downloading':
      return { id: digest, current: current ?? 0, total, done: false };
    case 'downloaded':
      return { id: digest, current: total, total, done: true };
    case 'extracting':
      return { id: `extracting ${digest}`, current: current ?? 0, total, done: false };
    case 'complete':
      return { id: `extracting ${digest}`, current: total, total, done: true };
    default:
      return undefined;
  }
}

function runsOn({ os, architecture }: ImageConfig, platform: Platform): boolean {
  return os === platform.os && architecture === platform.architecture;
}

function policyOf({ SLIPWAY_PULL: text = '' }: NodeJS.ProcessEnv): PullPolicy {
  if (text === '') return 'missing';
  if (text === 'always' || text === 'missing' || text === 'never') return text;
  throw new SlipwayError('usage', `SLIPWAY_PULL is ${JSON.stringify(text)}`, {
    code: 'PULL_POLICY_INVALID',
    hint: 'It may be always, missing or never.',
  });
}
