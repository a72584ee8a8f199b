import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Aborted } from '../../layer/abort.ts';
import { decodeListing, encodeListing } from '../../layer/listing.ts';
import { digestContent } from '../../layer/read-content.ts';
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
    entry.sha256 = digestContent({ base, path: entry.path }, entry.size, { buffer, aborted });
  }
  writeFileSync(temporary, encodeListing(entries), { mode: 0o600 });
  renameSync(temporary, path);
}
