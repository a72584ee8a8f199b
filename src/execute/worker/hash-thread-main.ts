import { workerData } from 'node:worker_threads';
import { PIECE_BYTES } from '../../layer/archive-hash.ts';
import { openPieceHasher, type PieceHasher } from '../../layer/hash-pieces.ts';
import type { HashMessage, HashThreadData } from './hash-thread.ts';

const { port, pieces, done } = workerData as HashThreadData;
let hasher: PieceHasher = openPieceHasher(false);

/** Body of a thread that hashes what another one reads. */
port.on('message', (message: HashMessage) => {
  switch (message.kind) {
    case 'begin':
      hasher = openPieceHasher(message.keepsStates);
      break;
    case 'piece':
      hasher.add(Buffer.from(pieces, message.slot * PIECE_BYTES, message.length), message.files);
      break;
    case 'keep':
      hasher.keepState();
      break;
    case 'resume':
      hasher.resume(Buffer.from(message.state), message.offset);
      break;
    case 'finish':
      port.postMessage(hasher.finish());
  }
  Atomics.add(done, 0, 1);
  Atomics.notify(done, 0);
});
