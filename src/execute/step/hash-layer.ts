import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ArchiveHash } from '../../layer/archive-hash.ts';
import { decodeHashStates, encodeHashStates } from '../../layer/hash-states.ts';
import { decodeListing, decodeOverrides, encodeListing } from '../../layer/listing.ts';
import { hashLayer } from '../../layer/pack.ts';
import type { PackOptions } from '../../layer/pack-options.ts';
import { comparePaths } from '../../layer/paths.ts';
import type { LayerDigest } from '../../layer/types.ts';
import { hashStatesPath, listingPath } from '../../store/layout.ts';
import { type WrittenTree, writtenEntries } from '../copy/written-tree.ts';

export interface HashTask {
  /** Absolute path of the store. */
  store: string;
  /** Absolute path of the layer directory. */
  directory: string;
  /** A name in the store's tmp/ that nobody else uses. */
  temporary: string;
  options: Omit<PackOptions, 'aborted' | 'overrides' | 'listingBelow' | 'statesBelow' | 'known' | 'hash'>;
  /** The file that holds what the directory cannot. */
  overridesPath?: string | undefined;
  /** DiffID of the layer that this one lies over: what its kept listing says of files is not asked again. */
  below?: string | undefined;
  /** What is known of a directory in it. */
  written?: WrittenTree | undefined;
  /** Under which diffID the listing is kept, where it is not what our packer gives (a layer from elsewhere). */
  listedAs?: string | undefined;
}

/**
 * Digests a layer directory and leaves its listing beside the store's others. `hash`, if given, hashes in place of this
 * thread.
 */
export function hashToListing(
  task: HashTask,
  aborted: () => boolean = () => false,
  hash?: ArchiveHash,
): LayerDigest {
  const { entries, states, ...digest } = hashLayer(task.directory, {
    ...task.options,
    aborted,
    ...(hash === undefined ? {} : { hash }),
    ...(task.overridesPath === undefined
      ? {}
      : { overrides: decodeOverrides(readFileSync(task.overridesPath)) }),
    ...(task.below === undefined ? {} : keptOf(task.store, task.below)),
    ...(task.written === undefined ? {} : { known: knownOf(task.written) }),
  });
  const name = task.listedAs ?? digest.diffId;
  const keep = (path: string, bytes: () => Buffer): void => {
    if (existsSync(path)) return;
    writeFileSync(task.temporary, bytes(), { mode: 0o600 });
    renameSync(task.temporary, path);
  };
  if (states.length > 0) keep(hashStatesPath(task.store, digest.diffId), () => encodeHashStates(states));
  keep(listingPath(task.store, name), () => encodeListing(entries));
  return digest;
}

function knownOf(written: WrittenTree): NonNullable<PackOptions['known']> {
  const entries = [...writtenEntries(written)];
  entries.sort((a, b) => comparePaths(a.path, b.path));
  return { path: written.path, entries };
}

/** What is kept of a layer may be lost at any time; then all is read. */
function keptOf(store: string, diffId: string): Pick<PackOptions, 'listingBelow' | 'statesBelow'> {
  const [listing, states] = [listingPath(store, diffId), hashStatesPath(store, diffId)];
  if (!existsSync(listing)) return {};
  const listingBelow = decodeListing(readFileSync(listing));
  const statesBelow = existsSync(states) ? decodeHashStates(readFileSync(states)) : undefined;
  return { listingBelow, ...(statesBelow === undefined ? {} : { statesBelow }) };
}
