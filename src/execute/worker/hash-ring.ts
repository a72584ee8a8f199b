import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { SlipwayError } from '../../errors/index.ts';
import { type Aborted, throwIfAborted } from '../../layer/abort.ts';
import { type ArchiveHash, PIECE_BYTES, type PieceParts } from '../../layer/archive-hash.ts';
import { collectDigests, type HashedPiece, openPieceHasher } from '../../layer/hash-pieces.ts';
import type { LayerFile } from '../../layer/read-content.ts';
import { loadSys } from '../../sys/linux.ts';

/** Pieces that may wait; more of them where what hashes may be busy with a large file of its own for long. */
export const RING_SLOTS = { usual: 12, many: 40 } as const;

/** With no more than these before it the hashing thread reads contents itself: enough that it never waits. */
const FEW = 1;

/** How often the abort flag is looked at while waiting. */
const LOOK_MS = 20;

const SMALLEST_PAGE = 4096;

/** Indices of `HashRing.counts`. */
const DONE = 0;
const FAILED = 1;

/** What the thread that reads a layer and the one that hashes it have in common; each has a port of its own. */
export interface HashRing {
  port: MessagePort;
  /** Pieces, one behind the other. */
  pieces: SharedArrayBuffer;
  /** How many messages are done; and 1 when nobody does them any more. */
  counts: Int32Array;
  /** See `openPieceHasher`. */
  keepsStates: boolean;
}

/** In the order in which they are done. */
type HashMessage =
  | { kind: 'piece'; slot: number; length: number; parts: PieceParts }
  | { kind: 'file'; file: LayerFile; size: number }
  | { kind: 'resume'; state: Uint8Array; offset: number }
  | { kind: 'finish' };

/** What comes back: of a piece, if there is something to tell, and in the end the digest of the archive. */
type HashReply = HashedPiece | string;

/** Memory of a ring that is still to be opened. */
let spare: SharedArrayBuffer | undefined;

/**
 * Has the memory of the next ring of many pieces ready: that the kernel gives it page by page would take 24 ms of the
 * thread that fills it.
 */
export function prepareHashRing(): void {
  if (spare !== undefined) return;
  spare = new SharedArrayBuffer(RING_SLOTS.many * PIECE_BYTES);
  const bytes = Buffer.from(spare);
  loadSys().adviseHugePages(bytes);
  for (let at = 0; at < bytes.length; at += SMALLEST_PAGE) bytes[at] = 0;
}

export function openHashRing(keepsStates: boolean, slots: number): Omit<HashRing, 'port'> {
  const bytes = slots * PIECE_BYTES;
  const pieces = spare?.byteLength === bytes ? spare : new SharedArrayBuffer(bytes);
  if (pieces === spare) spare = undefined;
  return { pieces, counts: new Int32Array(new SharedArrayBuffer(8)), keepsStates };
}

/** Tells the reader that it waits in vain. */
export function failRing({ counts }: Omit<HashRing, 'port'>): void {
  Atomics.store(counts, FAILED, 1);
  Atomics.notify(counts, DONE);
}

/**
 * A hash whose work another thread does in `serveRing`, so that reading and hashing go on side by side. This thread
 * waits for it synchronously.
 */
export function hashInRing({ port, pieces, counts, keepsStates }: HashRing, aborted: Aborted): ArchiveHash {
  const slots = pieces.byteLength / PIECE_BYTES;
  let sent = 0;
  let slot = 0;
  const send = (message: HashMessage): void => {
    port.postMessage(message);
    sent++;
  };
  /** Waits until no more than `left` messages are to be done. */
  const settle = (left: number): void => {
    for (;;) {
      const done = Atomics.load(counts, DONE);
      if (sent - done <= left) return;
      throwIfAborted(aborted);
      if (Atomics.load(counts, FAILED) === 1) throw lost();
      Atomics.wait(counts, DONE, done, LOOK_MS);
    }
  };
  const digests = collectDigests();
  /** Takes what has come back; the digest of the archive is the last. */
  const collect = (): string | undefined => {
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: HashReply } | undefined;
      if (received === undefined) return undefined;
      const { message } = received;
      if (typeof message === 'string') return message;
      digests.take({ ...message, states: message.states.map((state) => Buffer.from(state)) });
    }
  };
  return {
    // Both threads have the same Node.
    keepsStates: openPieceHasher(keepsStates).keepsStates,
    piece() {
      // What was in this slot was sent as many pieces ago as there are slots, or earlier.
      settle(slots - 1);
      return Buffer.from(pieces, slot * PIECE_BYTES, PIECE_BYTES);
    },
    get hasTime() {
      return sent - Atomics.load(counts, DONE) <= FEW;
    },
    add(length, parts) {
      send({ kind: 'piece', slot, length, parts });
      slot = (slot + 1) % slots;
      collect();
    },
    addFile: (file, size) => send({ kind: 'file', file, size }),
    resume: (state, offset) => send({ kind: 'resume', state, offset }),
    finish() {
      send({ kind: 'finish' });
      settle(0);
      return digests.end(collect()!);
    },
  };
}

/** Hashes what comes until the other end is closed. */
export function serveRing({ port, pieces, counts, keepsStates }: HashRing): Promise<void> {
  return new Promise((resolve, reject) => {
    const hasher = openPieceHasher(keepsStates);
    /** Into which files are read. */
    let own: Buffer | undefined;
    port.on('close', resolve);
    port.on('message', (message: HashMessage) => {
      try {
        switch (message.kind) {
          case 'piece': {
            const piece = Buffer.from(pieces, message.slot * PIECE_BYTES, message.length);
            const hashed = hasher.add(piece, message.parts);
            if (hashed.files.length > 0 || hashed.states.length > 0)
              port.postMessage(hashed satisfies HashReply);
            break;
          }
          case 'file':
            own ??= Buffer.allocUnsafeSlow(PIECE_BYTES);
            hasher.addFile(message.file, message.size, own);
            break;
          case 'resume':
            hasher.resume(Buffer.from(message.state), message.offset);
            break;
          case 'finish':
            port.postMessage(hasher.finish() satisfies HashReply);
        }
      } catch (error) {
        port.close();
        reject(error as Error);
        return;
      }
      Atomics.add(counts, DONE, 1);
      Atomics.notify(counts, DONE);
    });
  });
}

function lost(): SlipwayError {
  return new SlipwayError('internal', 'the thread that hashes a layer has failed', {
    code: 'HASH_THREAD_LOST',
  });
}
