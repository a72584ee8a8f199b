import { createHash } from 'node:crypto';
import { closeSync, existsSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { type Aborted, throwIfAborted } from '../../layer/abort.ts';
import { decodeListing, encodeListing } from '../../layer/listing.ts';
import { openContent } from '../../layer/read-content.ts';
import { lacksDigest } from '../../layer/types.ts';
import { layerDirectory, listingPath } from '../../store/layout.ts';
import { bufferOf, bytesOf } from '../../sys/bytes.ts';
import type { LayerChain } from '../executor.ts';

const READ_BYTES = 1 << 20;

export interface CompleteListingTask {
  /** Absolute path of the store. */
  store: string;
  /** Directories that make up the layer, bottom first. */
  stack: LayerChain;
  diffId: string;
  /** A name in the store's tmp/ that nobody else uses. */
  temporary: string;
}

/**
 * Digests the files of a layer that were left out when it was digested, and keeps its listing with them.
 *
 * @throws SlipwayError `changed` LAYER_CHANGED, `canceled`
 */
export function completeListing(
  { store, stack, diffId, temporary }: CompleteListingTask,
  aborted: Aborted,
): void {
  const path = listingPath(store, diffId);
  const bases = stack.toReversed().map((id) => bytesOf(layerDirectory(store, id)));
  const entries = decodeListing(readFileSync(path));
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (const entry of entries) {
    if (!lacksDigest(entry)) continue;
    const base = bases.find((each) => existsSync(bufferOf(`${each}/${entry.path}`))) ?? bases[0]!;
    const fd = openContent({ base, path: entry.path });
    try {
      const digest = createHash('sha256');
      for (let count = -1; count !== 0; ) {
        throwIfAborted(aborted);
        count = readSync(fd, buffer, 0, READ_BYTES, null);
        digest.update(buffer.subarray(0, count));
      }
      entry.sha256 = digest.digest('hex');
    } finally {
      closeSync(fd);
    }
  }
  writeFileSync(temporary, encodeListing(entries), { mode: 0o600 });
  renameSync(temporary, path);
}
