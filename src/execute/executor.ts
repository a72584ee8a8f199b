import type { Platform } from '../image/types.ts';
import type { CopyOperation, RunOperation, WorkdirOperation } from '../plan/types.ts';
import type { ProcessLimit, ResourceLimits } from '../runtime/resources.ts';
import type { BytePath } from '../sys/bytes.ts';
import type { PackedFiles } from './protocol/packed-files.ts';
import type { HashedLayer } from './step/digest-layer.ts';

/** Names a layer directory of the store: handed out by the index, a short base-36 number. */
export type LayerId = string;

/** Layers of a root file system, base first. */
export type LayerChain = LayerId[];

/** One selected name, with what the cache key says about it: the executor refuses to copy anything else. */
export interface SelectedFile {
  /** Relative to the source; empty for the source itself. */
  path: BytePath;
  type: 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  mode: number;
  /** The mode that it gets, where that is another. */
  newMode?: number;
  /** Bytes of a file's content. */
  size: number;
  /** Nanoseconds since 1970, decimal. Not part of the key; what a new layer is compared with an earlier one by. */
  mtimeNs?: string;
  /** Extended attributes that travel: names, and values in base64. */
  xattrs?: [name: string, value: string][];
  /** Owner, for sources that keep theirs; absent is 0. */
  uid?: number;
  gid?: number;
  /** Of a device of a stage or image. */
  major?: number;
  minor?: number;
  /** Of a file's content, hex. */
  sha256?: string;
  /** Text of a symbolic link. */
  link?: BytePath;
  /** Relative path of an earlier selected name of the same inode. */
  hardLink?: BytePath;
}

/** What one source of the instruction (after wildcards) selects: one file, or a directory's content. */
export interface SelectedSource {
  /** Absolute path of the directory that it is in, where that is not the one of the whole step source. */
  root?: string;
  /** Path in the source's root, links resolved; empty for the root. */
  path: BytePath;
  /** Name in a destination that is a directory. */
  name: BytePath;
  directory: boolean;
  /** Whether ADD extracts an archive here; absent leaves it to the instruction. */
  unpack?: boolean;
  /**
   * Parents first. Of a directory its content only; where the directory itself can be seen (bind mounts) it is the
   * first, with an empty path.
   */
  files: SelectedFile[];
  /** Stands in place of `files` where there are many (`unpackSources`). */
  packed?: PackedFiles;
}

/** Files a step reads: a directory of the machine (the build context), or a root file system of layers. */
export type StepSource =
  | { kind: 'directory'; path: string; sources: SelectedSource[] }
  | { kind: 'layers'; layers: LayerChain; sources: SelectedSource[] }
  | { kind: 'none' };

/** A bind mount of a RUN, with what the scheduler resolved. */
export interface BoundSource {
  /** Index into `operation.mounts`. */
  mount: number;
  source: StepSource;
}

/** A secret that a step may see. Its content is never recorded, logged or part of a key. */
export interface SecretValue {
  id: string;
  base64: string;
}

/** What a build sets for each of its RUNs, beside what the instruction says. Plain data. */
export interface RunSettings {
  /** Names in /etc/hosts; the address `host-gateway` is the machine that builds. */
  extraHosts?: readonly { name: string; address: string }[];
  ulimits?: readonly ProcessLimit[];
  /** Bytes of /dev/shm. */
  shmSize?: number;
  resources?: ResourceLimits;
  /** Cache mounts are empty when the build first uses them. No part of the key. */
  resetCacheMounts?: boolean;
  /** The cgroup, from the root of each hierarchy, below which those of the steps are made. */
  cgroupParent?: string;
}

/** A layer whose directories may lie under a new one's. */
export interface LayerBase {
  /** Bottom first. */
  stack: LayerChain;
  diffId: string;
}

/** A step as the executor gets it: the plan's operation, its inputs resolved. Plain data. */
export type ExecutableStep =
  | {
      kind: 'run';
      operation: RunOperation;
      /** Its stage's: what another processor's programs need, the executor sees to. */
      platform: Platform;
      sources: BoundSource[];
      secrets: SecretValue[];
      /** Ids of ssh agents that there are. */
      agents: string[];
      settings?: RunSettings;
    }
  | { kind: 'copy'; operation: CopyOperation; source: StepSource }
  | { kind: 'workdir'; operation: WorkdirOperation }
  /** Puts what these layers change, bottom first, on the parent. */
  | { kind: 'squash'; layers: LayerChain };

export interface ExecuteRequest {
  step: ExecutableStep;
  parent: LayerChain;
  /** Where the result goes. */
  layer: LayerId;
  /** Seconds since 1970 (SOURCE_DATE_EPOCH): later times in the layer are set to it. */
  clampMtime?: number | undefined;
  /** False: nobody is known to look at the layer's files by path, for COPY --from or a mount. */
  isRead?: boolean | undefined;
  /** Of a COPY: layers that earlier ones of its kind made over the same parent, the likeliest first. */
  bases?: LayerBase[] | undefined;
}

/** How a worker process asks the front for an agent's answer, which comes as base64. */
export interface AgentQuestion {
  agent: string;
  base64: string;
}

export interface ExecuteHooks {
  /** Output of the step's process. The executor waits for the promise before it reads more. */
  onLog(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void> | void;
  /** A message of the ssh-agent protocol, for the agent of that id; gives its answer. Both without their length. */
  askAgent?(id: string, message: Uint8Array): Promise<Uint8Array>;
  /** Something that was asked for and could not be had, and does not stop the step. */
  onWarning?(code: string, message: string): void;
}

export interface ExecuteResult {
  /** Bytes of memory that the step's processes had at their peak, where that was measured. */
  peakMemory?: number | undefined;
  /** Bytes and digest of the layer; settles some time after the step itself (DESIGN, decision 4). */
  digest: Promise<HashedLayer>;
  /**
   * Which of `bases` the layer's directory lies over; undefined when it holds everything. `hides`: it takes names of
   * that layer away, which would hide them in other layers below too.
   */
  base?: (LayerBase & { hides: boolean }) | undefined;
}

/**
 * Runs steps; the seam behind which the local worker stands, an in-memory one for the scheduler's tests, and in
 * time one on another machine.
 */
export interface Executor {
  /**
   * Runs one step on top of `parent` and leaves its changes as layer `layer`. Resolves when the layer is frozen
   * and may be the parent of another step. Rejects with `step-failed` (the process's exit code), `changed` (a file
   * is not what its digest in the selection says), `canceled`, or what else went wrong; then there is no layer.
   */
  execute(request: ExecuteRequest, hooks: ExecuteHooks, signal: AbortSignal): Promise<ExecuteResult>;
  /** Everything that `execute` has given so far is on disk when this resolves. */
  sync(): Promise<void>;
}
