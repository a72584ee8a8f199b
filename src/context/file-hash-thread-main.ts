import { parentPort, workerData } from 'node:worker_threads';
import type { BytePath } from '../sys/bytes.ts';
import type { FileHashReply, FileHashRequest } from './file-hash-thread.ts';
import { FingerprintList } from './fingerprint-list.ts';
import { HASH_BUFFER_BYTES, hashFile } from './hash-file.ts';
import { InsideOpener } from './inside-opener.ts';

const opener = new InsideOpener(workerData as BytePath);
const buffer = Buffer.allocUnsafeSlow(HASH_BUFFER_BYTES);

/** Body of a thread that hashes files; whoever asked says what is wrong with those that it does not hash. */
parentPort!.on('message', ({ paths, words }: FileHashRequest) => {
  const prints = FingerprintList.of(words);
  const reply: FileHashReply = paths.map((path, row) => {
    try {
      const steps = hashFile(opener, path, { print: prints.get(row), buffer });
      for (;;) {
        const step = steps.next();
        if (step.done) return step.value;
      }
    } catch {
      return undefined;
    }
  });
  opener.release();
  parentPort!.postMessage(reply);
});
