import type { BytePath } from '../sys/bytes.ts';
import { holdOptimizer } from '../sys/optimizer.ts';
import type { ContentHasher, DiskEntry } from './content-hasher.ts';
import type { FileHashThread } from './file-hash-thread.ts';

/** Files of a request: some milliseconds of work. */
const BATCH = 64;

/** Requests that wait for the thread: work until the walk lets its answers in, every 25 ms. */
const REQUESTS = 24;

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

  const ask = async (batch: readonly { path: BytePath; entry: DiskEntry }[]): Promise<void> => {
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
  const fill = (): void => {
    while (thread !== undefined && answers.size < REQUESTS && next + BATCH <= paths.length) {
      const batch = paths.slice(next, next + BATCH).map((path) => ({ path, entry: entryOf(path) }));
      next += BATCH;
      const answer = ask(batch)
        // Whoever asks for the file's digest meets it again.
        .catch(() => {})
        .then(() => {
          answers.delete(answer);
          fill();
        });
      answers.add(answer);
    }
  };
  void opening.then((opened) => {
    thread = opened;
    fill();
  });
  return {
    add(more) {
      for (const path of more) paths.push(path);
      fill();
    },
    end() {
      paths = [];
      return { isAsked: (entry) => asked.has(entry), answered: Promise.all(answers) };
    },
  };
}
