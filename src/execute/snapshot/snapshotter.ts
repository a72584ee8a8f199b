import type { Overrides } from '../../layer/types.ts';
import type { BytePath } from '../../sys/bytes.ts';
import type { LayerChain, LayerId } from '../executor.ts';

/** A root file system that can be written to; its changes can become a layer. */
export interface ActiveSnapshot {
  /** Directory under which the merged root file system is mounted (or lies). */
  readonly root: string;
  /** Directory of this snapshot alone, outside `root`, on the same file system: for generated files. */
  readonly scratch: string;
  /** Directory that holds what was changed so far and nothing else, where there is one. */
  readonly changes?: string;
  /**
   * Freezes the changes and moves them to the layer's directory. The snapshot is gone afterwards, the layer may be
   * a parent at once.
   */
  commit(layer: LayerId): CommittedSnapshot;
  /**
   * The place on disk of a directory that this snapshot has made, below which writing is faster than through the
   * mount, and puts there what is written and nothing else. Afterwards the root is gone: what is still to be written
   * is all there.
   */
  direct?(path: BytePath): BytePath;
  /** What is at a path of the root now counts as what was there at first. Only where changes are found by looking. */
  unchanged?(path: BytePath): void;
  /** Drops the changes. Idempotent, also after `commit`. */
  discard(): void;
}

/** What became of a snapshot's changes. */
export interface CommittedSnapshot {
  /** Marks that the layer's directory cannot hold. */
  overrides: Overrides;
  /** Whether a name of the layer below is in the new one as itself, changed, not as another in its place. */
  hasChanged(path: BytePath): boolean;
}

/** A root file system to read from. */
export interface SnapshotView {
  readonly root: string;
  close(): void;
}

/**
 * Turns chains of layers into directories and changes into layers. Two ways stand behind it: overlayfs, and plain
 * copies where that cannot be had. Life of a snapshot: `prepare` → active → `commit` (a new layer) or `discard`.
 *
 * Layers are immutable: nothing may be written below a layer's directory once it is committed. All calls are
 * synchronous: a mount takes a millisecond, a rename less.
 */
export interface Snapshotter {
  readonly name: 'overlay' | 'copy';
  /** A writable snapshot on top of `parent`; an empty chain is an empty root directory (0755, 0:0). */
  prepare(parent: LayerChain): ActiveSnapshot;
  /** A read-only view of a chain. */
  view(chain: LayerChain): SnapshotView;
  /**
   * When no mount of before holds a layer any more. The kernel takes a layer over which another mount still lies, too,
   * but complains in its log.
   */
  settled?(): Promise<void>;
}
