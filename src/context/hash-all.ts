import { availableParallelism } from 'node:os';
import type { BytePath } from '../sys/bytes.ts';
import type { ContentHasher, DiskEntry } from './content-hasher.ts';
import { openFileHashThread } from './file-hash-thread.ts';
import type { TimeSlice } from './time-slice.ts';

/**
 * A thread takes 150 ms of a processor that the worker is starting on meanwhile: with 20,000 files nothing is won, with
 * 200,000 a third.
 */
const WORTH_FILES = 30_000;

/** Files that the thread gets at a time: some milliseconds of work. */
const BATCH = 128;

/** Requests that wait for the thread, so that it has work while this one is busy for a slice. */
const REQUESTS = 4;

export interface HashAllRequest {
  /** Absolute path of the tree. */
  root: BytePath;
  hasher: ContentHasher;
  /** Without digests. */
  files: readonly { path: BytePath; entry: DiskEntry }[];
  slice: TimeSlice;
}

/** Learns the digests of files; of many with the help of a thread. Errors as `ContentHasher.sha256`. */
export async function hashAll({ root, hasher, files, slice }: HashAllRequest): Promise<void> {
  const isWorth = files.length >= WORTH_FILES && availableParallelism() > 1;
  const thread = isWorth ? openFileHashThread(root) : undefined;
  let next = 0;
  const take = (): HashAllRequest['files'] => {
    const first = next;
    next += BATCH;
    return files.slice(first, next);
  };

  const hashHere = async (batch: HashAllRequest['files']): Promise<void> => {
    for (const { path, entry } of batch) {
      await hasher.sha256InSlices(path, entry, slice);
      if (slice.due()) await slice.pause();
    }
  };
  const hashThere = async (): Promise<void> => {
    while (next < files.length) {
      const batch = take();
      const asked = batch.map(({ path, entry }) => ({ path, print: hasher.expected(entry) }));
      for (const [at, sha256] of (await thread!.hash(asked)).entries()) {
        const { path, entry } = batch[at]!;
        if (sha256 === undefined) await hashHere([{ path, entry }]);
        else hasher.learn(path, entry, sha256);
      }
    }
  };
  try {
    const there = thread === undefined ? [] : Array.from({ length: REQUESTS }, hashThere);
    const here = (async () => {
      while (next < files.length) await hashHere(take());
    })();
    await Promise.all([here, ...there]);
  } finally {
    next = files.length;
    thread?.close();
    hasher.release();
  }
}
