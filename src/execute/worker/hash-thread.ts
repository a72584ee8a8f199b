import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { SlipwayError } from '../../errors/index.ts';
import { type Aborted, throwIfAborted } from '../../layer/abort.ts';
import { type ArchiveDigests, type ArchiveHash, PIECE_BYTES } from '../../layer/archive-hash.ts';
import { openPieceHasher } from '../../layer/hash-pieces.ts';

/** Pieces that may wait; a thread takes 40 ms to start, in which a reader fills this many. */
const SLOTS = 16;

/** How often the abort flag is looked at while waiting. */
const LOOK_MS = 20;

/** A thread that does nothing for so long has died. */
const LOST_MS = 60_000;

/** What the thread is given when it starts. */
export interface HashThreadData {
  port: MessagePort;
  /** `SLOTS` pieces, one behind the other. */
  pieces: SharedArrayBuffer;
  /** One number: how many messages are done. */
  done: Int32Array;
}

/** In the order in which they are sent; each is counted when it is done. */
export type HashMessage =
  | { kind: 'begin'; keepsStates: boolean }
  | { kind: 'piece'; slot: number; length: number; files: readonly number[] }
  | { kind: 'keep' }
  | { kind: 'resume'; state: Uint8Array; offset: number }
  | { kind: 'finish' };

/** The other end of a thread that hashes. */
interface HashThread {
  port: MessagePort;
  pieces: Buffer[];
  done: Int32Array;
  sent: number;
}

let thread: HashThread | undefined | 'none';

/**
 * A hash in a thread of its own, so that reading and hashing go on side by side; undefined where there is no second
 * processor, or no second thread can be had. For one archive at a time of this thread, which waits in it
 * synchronously. The thread is kept for the next.
 */
export function hashInThread(keepsStates: boolean, aborted: Aborted): ArchiveHash | undefined {
  thread ??= startThread() ?? 'none';
  if (thread === 'none') return undefined;
  const { port, pieces, done } = thread;
  const current = thread;
  const send = (message: HashMessage): void => {
    port.postMessage(message);
    current.sent++;
  };
  /** Waits until no more than `left` messages are to be done. */
  const settle = (left: number): void => {
    let lastDone = -1;
    let since = performance.now();
    for (;;) {
      const now = Atomics.load(done, 0);
      if (current.sent - now <= left) return;
      if (now !== lastDone) since = performance.now();
      else if (performance.now() - since > LOST_MS) throw lost();
      lastDone = now;
      throwIfAborted(aborted);
      Atomics.wait(done, 0, now, LOOK_MS);
    }
  };
  // What an aborted archive left.
  settle(0);
  send({ kind: 'begin', keepsStates });
  let slot = 0;
  return {
    // Both threads have the same Node.
    keepsStates: keepsStates && openPieceHasher(true).keepsStates,
    piece() {
      // A piece's message is done no later than those sent before it.
      settle(SLOTS - 1);
      return pieces[slot]!;
    },
    add(length, files) {
      send({ kind: 'piece', slot, length, files });
      slot = (slot + 1) % SLOTS;
    },
    keepState: () => send({ kind: 'keep' }),
    resume: (state, offset) => send({ kind: 'resume', state, offset }),
    finish() {
      send({ kind: 'finish' });
      settle(0);
      const { message } = receiveMessageOnPort(port) as { message: ArchiveDigests };
      return { ...message, states: message.states.map((state) => Buffer.from(state)) };
    },
  };
}

function startThread(): HashThread | undefined {
  if (availableParallelism() < 2) return undefined;
  const { port1, port2 } = new MessageChannel();
  const pieces = new SharedArrayBuffer(SLOTS * PIECE_BYTES);
  const done = new Int32Array(new SharedArrayBuffer(4));
  try {
    const data: HashThreadData = { port: port2, pieces, done };
    const worker = new Worker(script(), { workerData: data, transferList: [port2] });
    worker.unref();
  } catch {
    // Pods limit threads. The work is done without one as well.
    return undefined;
  }
  port1.unref();
  const slots = Array.from({ length: SLOTS }, (_, at) => Buffer.from(pieces, at * PIECE_BYTES, PIECE_BYTES));
  return { port: port1, pieces: slots, done, sent: 0 };
}

/** Beside this module under its own name, in sources, library output and bundle alike. */
function script(): string {
  for (const name of ['./hash-thread-main.js', './hash-thread-main.ts']) {
    const path = fileURLToPath(new URL(name, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new SlipwayError('internal', 'the script of the hash thread is missing from this installation', {
    code: 'THREAD_SCRIPT_MISSING',
    hint: 'Run npm run build.',
  });
}

function lost(): SlipwayError {
  return new SlipwayError('internal', 'the thread that hashes layers no longer answers', {
    code: 'HASH_THREAD_LOST',
  });
}
