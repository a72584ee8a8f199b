import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { decodeListing, decodeOverrides, encodeListing } from '../../layer/listing.ts';
import { hashLayer, type PackOptions } from '../../layer/pack.ts';
import type { LayerDigest } from '../../layer/types.ts';
import { listingPath } from '../../store/layout.ts';

export interface HashTask {
  /** Absolute path of the store. */
  store: string;
  /** Absolute path of the layer directory. */
  directory: string;
  /** A name in the store's tmp/ that nobody else uses. */
  temporary: string;
  options: Omit<PackOptions, 'aborted' | 'overrides' | 'listingBelow'>;
  /** The file that holds what the directory cannot. */
  overridesPath?: string | undefined;
  /** The kept listing of the layer that this one lies over: what it says of files is not asked again. */
  listingBelow?: string | undefined;
  /** Under which diffID the listing is kept, where it is not what our packer gives (a layer from elsewhere). */
  listedAs?: string | undefined;
}

/** Digests a layer directory and leaves its listing beside the store's others. */
export function hashToListing(task: HashTask, aborted: () => boolean = () => false): LayerDigest {
  const { entries, ...digest } = hashLayer(task.directory, {
    ...task.options,
    aborted,
    ...(task.overridesPath === undefined
      ? {}
      : { overrides: decodeOverrides(readFileSync(task.overridesPath)) }),
    ...entriesBelow(task.listingBelow),
  });
  const path = listingPath(task.store, task.listedAs ?? digest.diffId);
  if (!existsSync(path)) {
    writeFileSync(task.temporary, encodeListing(entries), { mode: 0o600 });
    renameSync(task.temporary, path);
  }
  return digest;
}

/** The listing may be lost at any time; then all is read. */
function entriesBelow(listing: string | undefined): Pick<PackOptions, 'listingBelow'> {
  if (listing === undefined || !existsSync(listing)) return {};
  return { listingBelow: decodeListing(readFileSync(listing)) };
}
