import type { BytePath } from '../sys/bytes.ts';
import { holdOptimizer } from '../sys/optimizer.ts';
import type { ContentHasher, DiskEntry } from './content-hasher.ts';
import type { FileHashThread } from './file-hash-thread.ts';

/** Files and bytes of a request: some milliseconds of work. */
const BATCH_FILES = 64;
const BATCH_BYTES = 4 << 20;

/** Requests and bytes that wait for the thread: work until the walk lets its answers in, every 25 ms. */
const REQUESTS = 24;
const WAITING_BYTES = 32 << 20;

type Batch = { path: BytePath; entry: DiskEntry }[];

export interface HashAheadRequest {
  hasher: ContentHasher;
  entryOf: (path: BytePath) => DiskEntry;
  /** Comes later, or not at all. */
  thread: Promise<FileHashThread | undefined>;
}

/** Files that a thread hashes while the walk that finds them goes on. */
export interface HashAhead {
  /** Files without a digest, which somebody will ask for. */
  add(paths: readonly BytePath[]): void;
  /** Gives up what the thread has not been given yet. */
  end(): {
    /** Whether the thread is at it, so that nobody else need be. */
    isAsked(entry: DiskEntry): boolean;
    /** When it has answered. It says nothing of a file that it could not hash. */
    answered: Promise<unknown>;
  };
}

export function hashAhead({ hasher, entryOf, thread: opening }: HashAheadRequest): HashAhead {
  const asked = new Set<DiskEntry>();
  const answers = new Set<Promise<void>>();
  let thread: FileHashThread | undefined;
  let paths: BytePath[] = [];
  let next = 0;
  let waitingBytes = 0;

  const ask = async (batch: Batch): Promise<void> => {
    for (const { entry } of batch) asked.add(entry);
    const digests = await thread!.hash(
      batch.map(({ path, entry }) => ({ path, print: hasher.expected(entry) })),
    );
    // The thread is there, and from here on neither waits for the other.
    holdOptimizer();
    for (const [at, sha256] of digests.entries()) {
      const { path, entry } = batch[at]!;
      asked.delete(entry);
      // It may have been asked for alone meanwhile.
      if (sha256 !== undefined && entry.known.sha256 === undefined) hasher.learn(path, entry, sha256);
    }
  };
  const take = (): { batch: Batch; bytes: number } => {
    const batch: Batch = [];
    let bytes = 0;
    while (next < paths.length && batch.length < BATCH_FILES && bytes < BATCH_BYTES) {
      const path = paths[next++]!;
      const entry = entryOf(path);
      batch.push({ path, entry });
      bytes += entry.node.size;
    }
    return { batch, bytes };
  };
  const fill = (): void => {
    while (thread !== undefined && next < paths.length) {
      if (answers.size >= REQUESTS || waitingBytes >= WAITING_BYTES) return;
      const { batch, bytes } = take();
      waitingBytes += bytes;
      const answer = ask(batch)
        // Whoever asks for the file's digest meets it again.
        .catch(() => {})
        .then(() => {
          answers.delete(answer);
          waitingBytes -= bytes;
          fill();
        });
      answers.add(answer);
    }
  };
  opening
    .then((opened) => {
      thread = opened;
      fill();
    })
    // Whoever waits for the thread hears of it.
    .catch(() => {});
  return {
    add(more) {
      for (const path of more) paths.push(path);
      fill();
    },
    end() {
      paths = [];
      next = 0;
      return { isAsked: (entry) => asked.has(entry), answered: Promise.all(answers) };
    },
  };
}
