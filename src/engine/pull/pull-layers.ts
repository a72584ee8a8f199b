import { rmSync } from 'node:fs';
import PQueue from 'p-queue';
import { SlipwayError } from '../../errors/index.ts';
import type { BlobQuestion, PulledLayer } from '../../export/pull-layers.ts';
import { registerLayer } from '../../export/register.ts';
import type { UnpackedLayer } from '../../export/unpack-blob.ts';
import type { Descriptor, Digest } from '../../image/types.ts';
import { type BlobSource, fetchBlob } from '../../registry/fetch-blob.ts';
import { retrySettings } from '../../registry/open-pool.ts';
import type { RemoteImage } from '../../registry/resolve-image.ts';
import { abandonLayer, allocateLayer, holdLayerByDiffId } from '../../store/layers.ts';
import { type LayerId, temporaryPath } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSession } from '../session.ts';
import { ArrivingBlob } from './arriving-blob.ts';
import { claimLayers } from './layer-claims.ts';

/** What happens to a layer while an image is pulled, in Docker's steps. `digest` is its blob's. */
export interface LayerProgress {
  digest: Digest;
  state:
    | 'exists'
    | 'pulling'
    | 'waiting'
    | 'downloading'
    | 'verifying'
    | 'downloaded'
    | 'extracting'
    | 'complete';
  /** Bytes of the blob, of so many. */
  current?: number;
  total?: number;
}

export interface PullLayersOptions {
  store: Store;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  onProgress?: ((progress: LayerProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Blobs that are fetched at the same time. Default 3, as Docker's. */
  parallel?: number | undefined;
}

const DEFAULT_PARALLEL = 3;

/** A layer that is to be in the store, over those before it. */
export type IncomingLayer =
  /** It is: in these directories. */
  | { diffId: Digest; present: string[] }
  | {
      diffId: Digest;
      descriptor: Descriptor;
      /** Where its blob can be had, in the order to be asked. */
      sources: (signal: AbortSignal) => BlobSource[] | Promise<BlobSource[]>;
    };

/**
 * Brings the layers of an image of a registry into the store. As `bringLayers`.
 */
export async function pullLayers(image: RemoteImage, options: PullLayersOptions): Promise<void> {
  const { layers } = image.manifest.parsed;
  await bringLayers(
    layers.map((descriptor, index) => ({
      diffId: image.config.parsed.rootfs.diff_ids[index]!,
      descriptor,
      sources: (signal) => sourcesOf(image, descriptor, { env: options.env, signal }),
    })),
    options,
  );
}

async function sourcesOf(
  image: RemoteImage,
  { digest, urls }: Descriptor,
  { env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<BlobSource[]> {
  const sources = image.endpoints.map(
    ({ client, repository }): BlobSource =>
      (from) =>
        client.getBlob(repository, digest, { from, signal }),
  );
  if (urls === undefined || urls.length === 0) return sources;
  const { foreignSources } = await import('../../registry/foreign-blob.ts');
  return [...sources, ...foreignSources(urls, { env, signal })];
}

/**
 * Brings layers, bottom first, into the store, held by the session's lease: those that are here are not fetched, the
 * others are fetched by one process at a time, unpacked while they arrive, verified, and named once all are whole and on disk. After an error nothing new
 * is named.
 *
 * @throws SlipwayError those of `fetchBlob` and of the worker's `pullLayers`
 */
export async function bringLayers(
  incoming: readonly IncomingLayer[],
  options: PullLayersOptions,
): Promise<void> {
  const { store, session, signal, onProgress } = options;
  const waited = new Set<Digest>();
  const giveBack = await claimLayers(
    incoming.flatMap((one) => ('present' in one ? [] : [one.diffId])),
    {
      store,
      session,
      signal,
      onWaiting: (diffId) => {
        waited.add(diffId);
        const one = incoming.find((other) => other.diffId === diffId)!;
        if ('present' in one) return;
        for (const state of ['pulling', 'waiting'] as const)
          onProgress?.({ digest: one.descriptor.digest, state });
      },
    },
  );
  try {
    await bringClaimed(incoming, waited, options);
  } finally {
    giveBack();
  }
}

/** Those that were waited for another process has brought, or not. */
async function bringClaimed(
  incoming: readonly IncomingLayer[],
  waited: ReadonlySet<Digest>,
  options: PullLayersOptions,
): Promise<void> {
  const { store, session, onProgress } = options;
  const plan = planLayers(incoming, options);
  for (const { blob, layer } of plan) {
    if ('again' in layer || blob === undefined) continue;
    const { digest } = blob.descriptor;
    const isShared = waited.has(layer.diffId);
    if ('present' in layer) onProgress?.({ digest, state: isShared ? 'complete' : 'exists' });
    else if (!isShared) onProgress?.({ digest, state: 'pulling' });
  }
  const wanted = plan.flatMap(({ blob, layer }) =>
    'path' in layer && blob !== undefined ? [{ ...blob, layer }] : [],
  );
  if (wanted.length === 0) return;
  const work = new Work(wanted, options);
  try {
    const unpacked = await work.run(plan.map(({ layer }) => layer));
    for (const layer of unpacked) registerLayer(store, session.lease(), layer);
  } catch (error) {
    for (const { layer } of wanted) {
      rmSync(layer.path, { force: true });
      abandonLayer(store, layer.id);
    }
    throw error;
  }
}

type IncomingBlob = Omit<Extract<IncomingLayer, { descriptor: Descriptor }>, 'diffId'>;

interface PlannedLayer {
  blob?: IncomingBlob;
  layer: PulledLayer;
}

function planLayers(
  incoming: readonly IncomingLayer[],
  { store, session }: PullLayersOptions,
): PlannedLayer[] {
  const lease = session.lease();
  const first = new Map<Digest, number>();
  return incoming.map((one, index): PlannedLayer => {
    const { diffId } = one;
    if ('present' in one) return { layer: { diffId, present: one.present } };
    const { descriptor, sources } = one;
    const blob = { descriptor, sources };
    const again = first.get(diffId);
    if (again !== undefined) return { blob, layer: { diffId, again } };
    first.set(diffId, index);
    const known = holdLayerByDiffId(store, lease, diffId, { anywhere: true });
    if (known !== undefined) return { blob, layer: { diffId, present: known.stack } };
    const id = allocateLayer(store, lease);
    const path = temporaryPath(store.root, lease, `pull-${id}`);
    const { digest, size } = descriptor;
    return { blob, layer: { diffId, id, blob: { digest, size }, path } };
  });
}

interface WantedLayer extends IncomingBlob {
  layer: Extract<PulledLayer, { path: string }>;
}

/** Blobs on their way: fetched here, unpacked by the worker. */
class Work {
  readonly #wanted: readonly WantedLayer[];
  readonly #options: PullLayersOptions;
  readonly #blobs: ReadonlyMap<LayerId, ArrivingBlob>;
  readonly #fetched = new Set<LayerId>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #first: { error: unknown } | undefined;

  constructor(wanted: readonly WantedLayer[], options: PullLayersOptions) {
    this.#wanted = wanted;
    this.#options = options;
    this.#blobs = new Map(wanted.map(({ layer }) => [layer.id, new ArrivingBlob()]));
    const { signal } = options;
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
  }

  async run(layers: PulledLayer[]): Promise<UnpackedLayer[]> {
    const fetched = this.#fetchAll();
    // Both are waited for, so that nothing writes any more when this is over.
    const [unpacking] = await Promise.allSettled([this.#unpack(layers), fetched]);
    if (this.#first !== undefined) throw this.#first.error;
    if (unpacking.status === 'rejected') throw unpacking.reason;
    return unpacking.value;
  }

  async #unpack(layers: PulledLayer[]): Promise<UnpackedLayer[]> {
    try {
      const { client } = await this.#options.session.worker();
      return await client.call<UnpackedLayer[]>(
        'pull',
        { layers },
        {
          onAsk: (question: BlobQuestion) => {
            if (this.#fetched.has(question.id)) this.#extracting(question);
            return this.#blobs.get(question.id)!.next(question);
          },
          onEvent: (event) => this.#done((event as { unpacked: LayerId }).unpacked),
          signal: this.#signal,
        },
      );
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  async #fetchAll(): Promise<void> {
    const concurrency = this.#options.parallel ?? DEFAULT_PARALLEL;
    const queue = new PQueue({ concurrency });
    for (const { descriptor } of this.#wanted.slice(concurrency)) this.#tell(descriptor, 'waiting');
    await Promise.all(
      this.#wanted.map((wanted) =>
        queue.add(async () => {
          const blob = this.#blobs.get(wanted.layer.id)!;
          try {
            await this.#fetch(wanted, blob);
          } catch (error) {
            blob.fail(error);
            this.#fail(error);
          }
        }),
      ),
    );
  }

  async #fetch({ descriptor, layer, sources }: WantedLayer, blob: ArrivingBlob): Promise<void> {
    if (this.#signal.aborted) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
    const { digest, size } = descriptor;
    await fetchBlob({
      digest,
      size,
      sources: await sources(this.#signal),
      file: layer.path,
      signal: this.#signal,
      ...retrySettings(this.#options.env),
      onArrived: (bytes) => {
        blob.arrived(bytes);
        this.#tell(descriptor, 'downloading', bytes);
      },
    });
    this.#tell(descriptor, 'verifying');
    this.#fetched.add(layer.id);
    this.#tell(descriptor, 'downloaded');
    blob.complete();
  }

  #extracting({ id, from }: BlobQuestion): void {
    this.#tell(this.#descriptorOf(id), 'extracting', from);
  }

  #done(id: LayerId): void {
    this.#tell(this.#descriptorOf(id), 'complete');
  }

  #descriptorOf(id: LayerId): Descriptor {
    return this.#wanted.find(({ layer }) => layer.id === id)!.descriptor;
  }

  #tell({ digest, size }: Descriptor, state: LayerProgress['state'], current?: number): void {
    this.#options.onProgress?.({
      digest,
      state,
      ...(current === undefined ? {} : { current, total: size }),
    });
  }

  /** The first failure is the one to tell: the others are that the rest was stopped. */
  #fail(error: unknown): void {
    this.#first ??= { error };
    this.#stop.abort();
    for (const blob of this.#blobs.values()) blob.fail(error);
  }
}
