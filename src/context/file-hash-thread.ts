import { getCompileCacheDir } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { BytePath } from '../sys/bytes.ts';
import { ownScript } from '../sys/own-script.ts';
import { type Fingerprint, FingerprintList } from './fingerprint-list.ts';

/** Files for the thread: paths relative to its root, and what they must be like. */
export interface FileHashRequest {
  paths: BytePath[];
  /** Rows of a `FingerprintList`. */
  words: BigUint64Array<ArrayBuffer>;
}

/** Digests in the order of the paths, hex; undefined for what could not be read or was not as expected. */
export type FileHashReply = (string | undefined)[];

/** A thread that hashes files of a directory. */
export interface FileHashThread {
  /** Several requests may wait. All is undefined when there is no thread any more. */
  hash(files: readonly { path: BytePath; print: Fingerprint }[]): Promise<FileHashReply>;
  close(): void;
}

/** Undefined where there is one processor, or no thread can be had: then there is nobody but the caller. */
export function openFileHashThread(root: BytePath): FileHashThread | undefined {
  const worker = availableParallelism() > 1 ? startThread(root) : undefined;
  if (worker === undefined) return undefined;
  const waiting: { count: number; resolve: (reply: FileHashReply) => void }[] = [];
  let isOver = false;
  const end = (): void => {
    isOver = true;
    for (const { count, resolve } of waiting.splice(0)) resolve(new Array(count).fill(undefined));
  };
  // It keeps the process alive only while somebody waits for it.
  worker.unref();
  worker.on('message', (reply: FileHashReply) => {
    waiting.shift()!.resolve(reply);
    if (waiting.length === 0) worker.unref();
  });
  worker.on('error', end);
  worker.on('exit', end);
  return {
    hash: (files) =>
      new Promise((resolve) => {
        if (isOver) {
          resolve(new Array(files.length).fill(undefined));
          return;
        }
        const prints = new FingerprintList();
        for (const { print } of files) prints.add(print);
        if (waiting.length === 0) worker.ref();
        waiting.push({ count: files.length, resolve });
        const paths = files.map(({ path }) => path);
        worker.postMessage({ paths, words: prints.words } satisfies FileHashRequest);
      }),
    close: () => void worker.terminate(),
  };
}

function startThread(root: BytePath): Worker | undefined {
  const cache = getCompileCacheDir();
  try {
    return new Worker(script(), {
      workerData: root,
      env: cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) },
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
  } catch {
    // Pods limit threads. The work is done without one as well.
    return undefined;
  }
}

function script(): string {
  return ownScript(import.meta.url, ['./file-hash-thread-main.js', './file-hash-thread-main.ts'], {
    what: 'the script of the hashing thread',
    code: 'THREAD_SCRIPT_MISSING',
  });
}
