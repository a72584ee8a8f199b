import type { BytePath } from '../sys/bytes.ts';
import type { Aborted } from './abort.ts';
import type { ArchiveHash } from './archive-hash.ts';
import type { HashState } from './hash-states.ts';
import type { LayerDigest, LayerEntry, Overrides } from './types.ts';

/** How a layer directory is packed. */
export interface PackOptions {
  /** Seconds since 1970: later times become this (SOURCE_DATE_EPOCH). */
  clampMtime?: number;
  /** Metadata that the directory could not hold. */
  overrides?: Overrides;
  /** Looked at every few milliseconds; when it says so, the call throws `canceled`. */
  aborted?: Aborted;
  /** Overlayfs was mounted with `userxattr`: its marks are `user.overlay.*`. */
  userxattr?: boolean;
  /** The root gets an entry only when it differs from this (default: 0755, 0:0), which is what its parent has. */
  root?: { mode: number; uid: number; gid: number };
  /** The version to write; only the present one is known. */
  packer?: number;
  /**
   * Directories of the same layer that lie under `dir`, bottom first. Marks in those above the bottom one are about
   * what is below them here, and not part of the layer.
   */
  below?: readonly string[];
  /**
   * The entries of what the directories below hold together, as they were packed with the same options: they are
   * believed, and only contents are read again. Not used where there are hard links among them.
   */
  listingBelow?: readonly LayerEntry[];
  /**
   * States of the hash of the archive that `listingBelow` lists: what is equal at the beginning of both is not read.
   * Only where nothing but digests is asked for.
   */
  statesBelow?: readonly HashState[];
  /**
   * What lies below a directory of `dir`, in the packer's order: it is believed, and only contents are read. No hard
   * links, nothing that is left out. The entries become those of the result.
   */
  known?: { path: BytePath; entries: readonly LayerEntry[] };
  /** A directory of the archive that everything goes into; the end of the archive is then left to the caller. */
  inside?: BytePath;
  /**
   * Which files are digested: all, unless it is said that nobody asks for it. `small` leaves out those that do not lie
   * in one piece of the archive: they cost as much as the archive, and most are never asked for.
   */
  digests?: 'all' | 'small' | 'none';
  /** Puts states of the hash aside, for archives that begin like this one. */
  keepStates?: boolean;
  /**
   * Small files that nobody may execute are taken to have no attributes, since hardly one has. Whoever reads the
   * content looks, for less than it costs before the file is open; where there are some after all the call throws
   * `internal` (`ATTRIBUTES_LATE`), and is to be made again without this.
   */
  lateAttributes?: boolean;
  /** What hashes; by default this thread. */
  hash?: ArchiveHash;
}

/** What came of it. */
export interface PackResult extends LayerDigest {
  entries: LayerEntry[];
  /** Empty unless asked for, and where they cannot be had. */
  states: HashState[];
}
