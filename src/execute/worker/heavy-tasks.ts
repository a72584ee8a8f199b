import { loadSys } from '../../sys/linux.ts';
import { type CopyStepRequest, copyStep } from '../copy/copy-step.ts';
import { type HashTask, hashToListing } from '../step/hash-layer.ts';

/**
 * Work that keeps a processor busy for long: it runs in a thread, so that the worker goes on serving logs and
 * starting steps. Parameters and results are cloned between threads.
 */
export const heavyTasks = {
  hash: async (task: HashTask) => hashToListing(task),
  copy: async (request: CopyStepRequest) => copyStep(loadSys(), request),
};

export type HeavyTasks = typeof heavyTasks;
