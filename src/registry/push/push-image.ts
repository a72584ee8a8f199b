import PQueue from 'p-queue';
import type { Document } from '../../image/build-manifest.ts';
import type { Descriptor, Digest } from '../../image/types.ts';
import type { CallOptions, RegistryEndpoint, Upload } from '../types.ts';
import { GrowingFile } from './growing-file.ts';
import { type SentAhead, sendAhead } from './send-ahead.ts';
import { hasBlob, MONOLITHIC_BYTES, mountBlob, type UploadOptions, uploadBlob } from './upload-blob.ts';

/** Layers on their way at once; Docker has five. */
const PARALLEL = 5;

/** A layer that is to be pushed. */
export interface PushLayer {
  diffId: Digest;
  /** What its blob is, where that is known without making it. */
  known?: Descriptor;
  /** Makes the blob; called at most once, and only when the registry does not have it. */
  make(options?: MakeOptions): Promise<MadeBlob>;
  /** Repositories of this registry that may have it. */
  mountFrom?: readonly string[];
}

export interface MakeOptions extends CallOptions {
  /** Told how many bytes of the blob's file can be read, while it is written. */
  grown?: (path: string, bytes: number) => void;
}

/** A blob as a file, given back by `release`. */
export interface MadeBlob {
  descriptor: Descriptor;
  path: string;
  release?(): void;
}

export type LayerState =
  | { state: 'preparing' }
  /** `total` is told once it is known: what is sent while it is made may be more than was thought. */
  | { state: 'pushing'; total?: number }
  | { state: 'sent'; bytes: number }
  | { state: 'pushed' }
  | { state: 'exists' }
  | { state: 'mounted'; from: string };

export interface PushRequest extends CallOptions {
  endpoint: RegistryEndpoint;
  /** Bottom first. */
  layers: readonly PushLayer[];
  /** Gives the documents, once it is known what the layers' blobs are. */
  documents(layers: readonly Descriptor[]): { config: Document; manifest: Document & { mediaType: string } };
  /** The configuration, which does not wait for the layers. */
  config: Document;
  /** Tags that the manifest gets; without any it is pushed by its digest. */
  tags: readonly string[];
  onLayer?(index: number, state: LayerState): void;
  /** First pause before something is tried again. */
  delayMs?: number;
  chunkBytes?: number | undefined;
}

/**
 * Pushes an image: blobs that are missing, several at once, then the manifest under each name. Nothing names the image
 * before all of it is there.
 *
 * @returns What the manifest is.
 */
export async function pushImage(request: PushRequest): Promise<Descriptor> {
  const { endpoint, layers, config, tags, onLayer, signal } = request;
  const { client, repository } = endpoint;
  const upload = {
    signal,
    ...(request.delayMs === undefined ? {} : { delayMs: request.delayMs }),
    chunkBytes: request.chunkBytes,
  };
  for (const index of layers.keys()) onLayer?.(index, { state: 'preparing' });
  // Alone and first: whoever has to be asked for a token is asked once.
  const configBlob = { digest: config.digest, size: config.bytes.length, content: config.bytes };
  const hasConfig = await hasBlob(endpoint, configBlob, { signal });
  const stop = new AbortController();
  const signals = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const queue = new PQueue({ concurrency: PARALLEL });
  const byDiffId = new Map<Digest, Promise<Descriptor>>();
  const sendLayer = (layer: PushLayer, index: number): Promise<Descriptor> => {
    let sending = byDiffId.get(layer.diffId);
    if (sending === undefined) {
      sending = queue.add(() =>
        deliver(endpoint, layer, { ...upload, signal: signals, tell: (state) => onLayer?.(index, state) }),
      );
      byDiffId.set(layer.diffId, sending);
      return sending;
    }
    return sending.then((descriptor) => {
      onLayer?.(index, { state: 'exists' });
      return descriptor;
    });
  };
  const sending = layers.map(sendLayer);
  const configSent = hasConfig ? undefined : uploadBlob(endpoint, configBlob, { ...upload, signal: signals });
  let descriptors: Descriptor[];
  try {
    [descriptors] = await Promise.all([Promise.all(sending), configSent]);
  } catch (error) {
    stop.abort();
    await Promise.allSettled([...sending, configSent]);
    throw error;
  }
  const { manifest } = request.documents(descriptors);
  const { mediaType, bytes, digest } = manifest;
  for (const reference of tags.length === 0 ? [digest] : tags)
    await client.putManifest(repository, reference, { mediaType, bytes }, { signal });
  return { mediaType, digest, size: bytes.length };
}

async function deliver(
  endpoint: RegistryEndpoint,
  layer: PushLayer,
  options: UploadOptions & { tell: (state: LayerState) => void },
): Promise<Descriptor> {
  const { known, mountFrom = [] } = layer;
  const { tell, signal } = options;
  /** Where the registry would not mount it. */
  let began: Upload | undefined;
  /** True when the registry has the blob now. */
  const isThere = async (blob: Descriptor): Promise<boolean> => {
    if (await hasBlob(endpoint, blob, { signal })) {
      tell({ state: 'exists' });
      return true;
    }
    const result = await mountBlob(endpoint, blob.digest, { mountFrom, signal });
    if ('from' in result) {
      tell({ state: 'mounted', from: result.from });
      return true;
    }
    began = result.upload;
    return false;
  };
  if (known !== undefined && (await isThere(known))) return known;
  signal?.throwIfAborted();
  const stop = new AbortController();
  const file = new GrowingFile();
  const making = layer.make({
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
    grown: (path, bytes) => file.grow(path, bytes),
  });
  making.then(
    ({ path, descriptor }) => file.finish(path, descriptor.size),
    () => file.fail(),
  );
  const sent = (bytes: number): void => tell({ state: 'sent', bytes });
  const first = began;
  began = undefined;
  const ahead = file.atLeast(MONOLITHIC_BYTES + 1).then((): SentAhead | Promise<SentAhead> => {
    if (file.whole) return { upload: first };
    tell({ state: 'pushing' });
    return sendAhead(endpoint, file, { ...options, upload: first, sent, stop: stop.signal });
  });
  try {
    // What ends the sending for good ends the making too.
    const { descriptor, path } = await Promise.race([making, ahead.then(() => making)]);
    const { digest, size } = descriptor;
    if (known?.digest !== digest && (await isThere(descriptor))) {
      stop.abort();
      // Where all of it had been sent already, only this ends the upload.
      const done = await ahead.catch(() => undefined);
      if (done?.upload !== undefined) await endpoint.client.cancelUpload(done.upload);
      return descriptor;
    }
    tell({ state: 'pushing', total: size });
    const { upload, failure } = await ahead;
    if (upload !== undefined && began !== undefined) await endpoint.client.cancelUpload(began);
    const goOn = { ...options, upload: upload ?? began, failure, sent };
    await uploadBlob(endpoint, { digest, size, content: path }, goOn);
    tell({ state: 'pushed' });
    return descriptor;
  } finally {
    stop.abort();
    const [made, went] = await Promise.allSettled([making, ahead]);
    if (made.status === 'fulfilled') made.value.release?.();
    // One that had broken off, of a blob that there will not be.
    else if (went.status === 'fulfilled' && went.value.upload !== undefined && !signal?.aborted)
      await endpoint.client.cancelUpload(went.value.upload);
  }
}
