import type { Aborted } from '../../layer/abort.ts';
import { loadSys } from '../../sys/linux.ts';
import { type Claims, copyShare, finishCopy, makeDirectories, type SharedCopy } from '../copy/copy-shares.ts';
import { type CopyStepRequest, copyStep } from '../copy/copy-step.ts';
import { type DeltaCopyRequest, deltaCopy } from '../copy/delta-copy.ts';
import { unpackSources } from '../protocol/packed-files.ts';
import {
  type PackCacheTask,
  packCacheArchive,
  type UnpackCacheTask,
  unpackCacheArchive,
} from '../run/cache-archive.ts';
import { type CompleteListingTask, completeListing } from '../step/complete-listing.ts';
import { type HashTask, hashToListing } from '../step/hash-layer.ts';
import type { KeptMetadata } from '../step/metadata-keeper.ts';
import { type HashRing, hashInRing, serveRing } from './hash-ring.ts';
import { type Tell, type WriteTask, writeExport } from './write-export.ts';

/**
 * Work that keeps a processor busy for long: it runs in a thread, so that the worker goes on serving logs and
 * starting steps. Parameters, results and what a task tells on its way are cloned between threads.
 */
export const heavyTasks = {
  hash: async ({ task, ring }: { task: HashTask; ring?: HashRing }, aborted: Aborted) => {
    try {
      return hashToListing(task, aborted, ring && hashInRing(ring, aborted));
    } finally {
      ring?.port.close();
    }
  },
  completeListing: async (task: CompleteListingTask, aborted: Aborted) => completeListing(task, aborted),
  serveRing: async (ring: HashRing) => serveRing(ring),
  copy: async (request: CopyStepRequest, aborted: Aborted) =>
    copyStep(loadSys(), { ...request, sources: unpackSources(request.sources) }, aborted),
  copyDirectories: async (copy: SharedCopy, aborted: Aborted) => makeDirectories(loadSys(), copy, aborted),
  copyShare: async (copy: SharedCopy & { claims: Claims }, aborted: Aborted) =>
    copyShare(loadSys(), copy, aborted),
  copyEnd: async (copy: SharedCopy & { kept: KeptMetadata }, aborted: Aborted) =>
    finishCopy(loadSys(), copy, aborted),
  delta: async (request: DeltaCopyRequest, aborted: Aborted) => deltaCopy(loadSys(), request, aborted),
  packCache: async (task: PackCacheTask, aborted: Aborted) => packCacheArchive(task, aborted),
  unpackCache: async (task: UnpackCacheTask, aborted: Aborted) => unpackCacheArchive(task, aborted),
  export: async (task: WriteTask, aborted: Aborted, tell: Tell) => writeExport(task, aborted, tell),
};

export type HeavyTasks = typeof heavyTasks;
