import type { BytePath } from '../sys/bytes.ts';
import type { ContentHasher, DiskEntry } from './content-hasher.ts';
import type { FileHashThread } from './file-hash-thread.ts';
import type { TimeSlice } from './time-slice.ts';

/** Files that are hashed at a time: some milliseconds of work. */
const BATCH = 64;

/** Requests that wait for the thread, so that it has work while this one is busy with a batch. */
const REQUESTS = 3;

export interface HashAllRequest {
  hasher: ContentHasher;
  /** Without digests. */
  files: readonly { path: BytePath; entry: DiskEntry }[];
  slice: TimeSlice;
  /** Somebody who helps. */
  thread: FileHashThread | undefined;
}

/** Learns the digests of files. Errors as `ContentHasher.sha256`. */
export async function hashAll({ hasher, files, slice, thread }: HashAllRequest): Promise<void> {
  let next = 0;
  let isOver = false;
  const take = (): HashAllRequest['files'] => {
    const first = next;
    next += BATCH;
    return files.slice(first, next);
  };

  const hashHere = async (batch: HashAllRequest['files']): Promise<void> => {
    for (const { path, entry } of batch) {
      if (isOver) return;
      await hasher.sha256InSlices(path, entry, slice);
      if (slice.due()) await slice.pause();
    }
  };
  const hashThere = async (): Promise<void> => {
    while (next < files.length) {
      const batch = take();
      const asked = batch.map(({ path, entry }) => ({ path, print: hasher.expected(entry) }));
      const digests = await slice.wait(thread!.hash(asked));
      if (isOver) return;
      for (const [at, sha256] of digests.entries()) {
        const { path, entry } = batch[at]!;
        if (sha256 === undefined) await hashHere([{ path, entry }]);
        else hasher.learn(path, entry, sha256);
      }
    }
  };
  try {
    const there = thread === undefined ? [] : Array.from({ length: REQUESTS }, hashThere);
    const here = (async () => {
      while (next < files.length) {
        await hashHere(take());
        // The thread waits for what it is to do next.
        if (thread !== undefined) await slice.pause();
      }
    })();
    await Promise.all([here, ...there]);
  } finally {
    isOver = true;
    next = files.length;
    hasher.release();
  }
}
