import { closeSync, openSync, readSync } from 'node:fs';
import { SlipwayError } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';
import type { LayerEntry } from '../layer/types.ts';
import type { LayerId, LeaseId } from '../store/layout.ts';
import { entriesOf, syncStore } from './load.ts';
import { lowerDirectories } from './lower-directories.ts';
import type { Aborted } from './types.ts';
import { type LayerPlace, removeUnpacked, type UnpackedLayer, unpackArriving } from './unpack-blob.ts';

/** A layer of the image that is pulled. */
export type PulledLayer =
  /** In the store already, and held by the lease. */
  | { diffId: Digest; present: LayerId[] }
  /** The same as one further below. */
  | { diffId: Digest; again: number }
  /** On its way: its blob comes to lie at `path`. */
  | { diffId: Digest; id: LayerId; blob: { digest: Digest; size: number }; path: string };

export interface PullLayersRequest {
  /** Root of the store. */
  root: string;
  lease: LeaseId;
  /** Bottom first. */
  layers: PulledLayer[];
  /** Overlayfs's marks are `user.overlay.*`. */
  userxattr?: boolean;
}

/**
 * How far a blob has come: bytes of its file that can be read, and whether that is all of it, verified. What was read
 * of an earlier `generation` counts no more.
 */
export interface Arrived {
  bytes: number;
  complete: boolean;
  generation: number;
}

/** What the worker has of a blob: so many bytes of a generation. */
export interface BlobQuestion {
  id: LayerId;
  generation: number;
  from: number;
}

/** Answers when there is more than that, another generation, or nothing more to come. */
export type AwaitBlob = (question: BlobQuestion) => Promise<Arrived>;

const CHUNK = 1 << 20;

/**
 * Unpacks the layers of an image while their blobs arrive, all at the same time, and syncs them to disk. The front
 * then registers them. On any error no directory of them stays; the ids, and the files that the blobs are in, are the
 * caller's to give up. Runs in the worker.
 *
 * @throws SlipwayError those of `unpackArriving`, and what the front answers.
 */
export async function pullLayers(
  request: PullLayersRequest,
  front: { awaitBlob: AwaitBlob; onUnpacked: (id: LayerId) => void; aborted: Aborted },
): Promise<UnpackedLayer[]> {
  const { root, lease, userxattr } = request;
  let failed = false;
  const aborted = (): boolean => failed || front.aborted();
  const entries: Promise<() => readonly LayerEntry[]>[] = [];
  const unpacked: Promise<UnpackedLayer>[] = [];
  for (const layer of request.layers) {
    if ('present' in layer) {
      entries.push(Promise.resolve(() => entriesOf(root, layer.diffId, layer.present, userxattr)));
      continue;
    }
    if ('again' in layer) {
      entries.push(entries[layer.again]!);
      continue;
    }
    const below = entries.slice();
    const place: LayerPlace = { root, lease, id: layer.id };
    const { awaitBlob } = front;
    const done = unpackOne(layer, place, { below, userxattr, awaitBlob, aborted }).then(
      (result) => {
        front.onUnpacked(layer.id);
        return result;
      },
      (error: unknown) => {
        failed = true;
        throw error;
      },
    );
    // Whoever waits for a layer below sees its failure in its own; here it must only not be unhandled.
    entries.push(
      done.then(
        ({ entries: own }) =>
          () =>
            own,
      ),
    );
    entries.at(-1)!.catch(() => {});
    unpacked.push(done.then(({ layer: one }) => one));
  }
  const outcomes = await Promise.allSettled(unpacked);
  try {
    const bad = outcomes
      .filter((outcome) => outcome.status === 'rejected')
      .map(({ reason }) => reason as unknown);
    // What the others say of it is that they were stopped.
    if (bad.length > 0) throw bad.find((reason) => !isCanceled(reason)) ?? bad[0];
    const layers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    if (layers.length > 0) syncStore(root);
    return layers;
  } catch (error) {
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') removeUnpacked({ root, lease, id: outcome.value.id });
    }
    throw error;
  }
}

interface UnpackWork {
  /** Of the layers below, bottom first. */
  below: Promise<() => readonly LayerEntry[]>[];
  userxattr: boolean | undefined;
  awaitBlob: AwaitBlob;
  aborted: Aborted;
}

async function unpackOne(
  layer: Extract<PulledLayer, { path: string }>,
  place: LayerPlace,
  work: UnpackWork,
): Promise<{ layer: UnpackedLayer; entries: LayerEntry[] }> {
  const { diffId, blob, path: originPath } = layer;
  const { below, userxattr, aborted } = work;
  const reading = { generation: 0 };
  let lower: ReturnType<typeof lowerDirectories> = () => undefined;
  for (;;) {
    try {
      return await unpackArriving(
        arriving(layer, reading, work),
        place,
        { diffId, blob, originPath },
        {
          lowerReady: async () => {
            lower = lowerDirectories(await Promise.all(below));
          },
          lowerDirectory: (path) => lower(path),
          aborted,
          ...(userxattr === undefined ? {} : { userxattr }),
        },
      );
    } catch (error) {
      if (aborted() || isCanceled(error)) throw error;
      // What is wrong with bytes that are not verified yet may be that they are others.
      const { generation } = await work.awaitBlob({ id: layer.id, ...reading, from: blob.size });
      if (generation === reading.generation) throw error;
      reading.generation = generation;
    }
  }
}

async function* arriving(
  { id, path }: Extract<PulledLayer, { path: string }>,
  reading: { generation: number },
  { awaitBlob, aborted }: UnpackWork,
): AsyncGenerator<Buffer> {
  let fd: number | undefined;
  try {
    let at = 0;
    for (;;) {
      const { bytes, complete, generation } = await awaitBlob({ id, ...reading, from: at });
      if (generation !== reading.generation && at === 0) reading.generation = generation;
      if (generation !== reading.generation) throw new Error('the blob begins anew');
      // It is there once something of it is.
      fd ??= openSync(path, 'r');
      while (at < bytes) {
        if (aborted()) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
        const buffer = Buffer.allocUnsafe(Math.min(CHUNK, bytes - at));
        const count = readSync(fd, buffer, 0, buffer.length, at);
        if (count === 0) break;
        at += count;
        yield buffer.subarray(0, count);
      }
      if (complete) return;
    }
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function isCanceled(error: unknown): boolean {
  return error instanceof SlipwayError && error.kind === 'canceled';
}
