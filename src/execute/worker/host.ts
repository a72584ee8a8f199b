import type { SelectedRuntime } from '../../runtime/select-runtime.ts';
import type { ContainerRuntime } from '../../runtime/types.ts';
import type { Sys } from '../../sys/sys.ts';
import type { WrittenTree } from '../copy/written-tree.ts';
import type { LayerId } from '../executor.ts';
import type { Tier } from '../isolation.ts';
import type { ChosenSnapshotter } from '../snapshot/choose.ts';
import type { Snapshotter } from '../snapshot/snapshotter.ts';

/** What every operation of a worker works with; made once, when the front says hello. */
export interface WorkerHost {
  sys: Sys;
  /** Absolute path of the store. */
  store: string;
  lease: string;
  /** Directory of this worker alone in the store's `active/`, gone when it ends well. */
  active: string;
  tier: Tier;
  /** In a user namespace: overlayfs keeps its marks in `user.overlay.*`. */
  userNamespace: boolean;
  /** /proc is that of the worker's own pid namespace. */
  ownProc: boolean;
  /** Homes of cache mounts that have begun anew. */
  readonly renewedCaches: Set<string>;
  /** Of layers that have just been made and are not digested yet: what need not be looked at for it. */
  readonly writtenTrees: Map<LayerId, WrittenTree>;
  /** Chosen on first use, by a mount that an import need not try. */
  readonly snapshotter: Snapshotter;
  chosenSnapshotter(): ChosenSnapshotter;
  /** Chosen on first use: the self-test of an OCI runtime takes time that a COPY need not pay. */
  runtime(): Promise<ContainerRuntime>;
  /** The same with the reason for it. */
  selectedRuntime(): Promise<SelectedRuntime>;
}
