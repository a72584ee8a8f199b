import { MessageChannel } from 'node:worker_threads';
import { ATTRIBUTES_LATE } from '../../layer/read-content.ts';
import type { LayerDigest } from '../../layer/types.ts';
import { failRing, openHashRing, prepareHashRing, RING_SLOTS } from '../worker/hash-ring.ts';
import { idleThreads, runHeavy, startThreads, THREADS } from '../worker/thread-pool.ts';
import type { HashTask } from './hash-layer.ts';

/** Has ready what `hashHeavy` will need, while a step still writes its layer. */
export function prepareHashHeavy(): void {
  startThreads();
  if (THREADS > 1) prepareHashRing();
}

/** Digests a large layer: one thread goes through it and another hashes, if there are two without work. */
export async function hashHeavy(task: HashTask, lateAttributes = true): Promise<LayerDigest> {
  // Over another layer most of the archive is known, and a second thread would take longer to start.
  if (task.below !== undefined) return runHeavy('hash', { task });
  startThreads();
  if (idleThreads() < 2) return runHeavy('hash', { task });
  try {
    return await hashInTwo({ ...task, options: { ...task.options, lateAttributes } });
  } catch (error) {
    if (!lateAttributes || (error as { code?: string }).code !== ATTRIBUTES_LATE) throw error;
    return hashHeavy(task, false);
  }
}

async function hashInTwo(task: HashTask): Promise<LayerDigest> {
  const { port1, port2 } = new MessageChannel();
  // A large COPY needs its memory for itself, and its files are small or not many.
  const slots = task.written === undefined ? RING_SLOTS.many : RING_SLOTS.usual;
  const ring = openHashRing(task.options.keepStates ?? false, slots);
  const read = runHeavy('hash', { task, ring: { ...ring, port: port1 } }, { transfer: [port1] });
  const hash = runHeavy('serveRing', { ...ring, port: port2 }, { transfer: [port2] });
  hash.catch(() => failRing(ring));
  const [digest, served] = await Promise.allSettled([read, hash]);
  // The other thread then only knows that this one is gone.
  if (served.status === 'rejected') throw served.reason;
  if (digest.status === 'rejected') throw digest.reason;
  return digest.value;
}
