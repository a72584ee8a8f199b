import type { GitLocation } from '../context/git/git-location.ts';
import type { SourceRange } from '../errors/index.ts';
import type { ContainerConfig, Digest, HistoryEntry, Platform } from '../image/types.ts';

/** Version of this format: part of the key under which plans are kept. */
export const PLAN_FORMAT = 4;

/** Names a node of the DAG: `n0`, `n1`, … in topological order. */
export type NodeId = string;

/** A Dockerfile compiled for one target: plain data, a JSON round trip gives it back. */
export interface Plan {
  format: typeof PLAN_FORMAT;
  platform: Platform;
  /** Stages that the target needs, in the order of the file. */
  stages: PlannedStage[];
  /** Index into `stages` of the target; of several the last one asked for. */
  target: number;
  /** Indices into `stages` of all targets, in the order asked for, when there are several. */
  targets?: number[];
  /** Of a plan for several platforms: each with the indices into `stages` of the targets, in the order asked for. */
  platforms?: { platform: Platform; targets: number[] }[];
  /** Indices into `stages` of those that are built though no target needs them (`--all-stages`). */
  extraStages?: number[];
  /** Nodes that the targets need, each after all it depends on. */
  nodes: PlanNode[];
  /** Images that were looked up, with what was found: when one of them moves, the plan is stale. */
  bases: PlannedBase[];
  /** Named contexts that something reads, by name; absent for none. */
  contexts?: PlannedContext[];
  warnings: BuildWarning[];
  /** Build arguments given by the user that no ARG consumed. */
  unusedBuildArgs: string[];
  /** ARG lines before the first FROM, where every line was asked for. */
  globalLines?: string[];
  /** SOURCE_DATE_EPOCH of a build argument or a global ARG, in seconds. */
  epoch?: number;
  /** That time was a context's or that of something fetched: the plan holds for this build alone. */
  movingEpoch?: boolean;
}

export interface PlannedBase {
  /** Normalised reference: `docker.io/library/debian:12`. */
  reference: string;
  imageId: Digest;
  /** The named context that stands for it, when that has no name in the store (a layout, another build). */
  context?: string;
  /** What was asked for, where that is not the plan's own platform. */
  platform?: Platform;
  /** It was not in the store: the platform that its registry was asked for. */
  remote?: Platform;
}

/** A named context that a plan reads. */
export interface PlannedContext {
  name: string;
  kind: 'files' | 'image' | 'result' | 'scratch';
  /** Where it comes from, without credentials: a path, a URL, a reference. */
  description: string;
}

/** A stage: what its nodes produce and the configuration of an image made of it. */
export interface PlannedStage {
  /** Position in the Dockerfile, from 0. */
  index: number;
  /** Lower-cased name of `AS`, if any. */
  name?: string | undefined;
  /** As progress shows it: the name, or `stage-0`. */
  displayName: string;
  platform: Platform;
  /** Index into `Plan.stages` of the stage that FROM names. */
  base?: number;
  /** Node whose snapshot is the stage's root file system. */
  result: NodeId;
  config: ContainerConfig;
  author?: string;
  /** History of base and stage; `node` names the node that makes the layer, absent for empty layers and the base's. */
  history: PlannedHistory[];
  /** Every line from FROM on, where that was asked for. */
  lines?: PlannedLine[];
  /** First comment line(s) above FROM, for `--call=targets`. */
  description?: string;
}

/** A line of a stage and what the stage is once it is done: for displays that show every instruction. */
export interface PlannedLine {
  /** As it stands in the file, continuation lines joined. */
  text: string;
  /** It comes from an ONBUILD of the base. */
  trigger?: boolean;
  /** Node that it made; absent where it only changes the configuration. */
  node?: NodeId;
  /** Node whose snapshot is the root file system now. */
  result: NodeId;
  config: ContainerConfig;
  author?: string;
  /** How many entries of the stage's history there are so far. */
  history: number;
}

export interface PlannedHistory extends HistoryEntry {
  node?: NodeId;
}

export interface PlanNode {
  id: NodeId;
  /** Index into `Plan.stages`. */
  stage: number;
  operation: Operation;
  /** As progress shows it, without the prefix: `RUN apt-get update`. */
  title: string;
  /** Prefix as Docker's (SPEC F14): `[build 2/4]`. */
  label: string;
  /** Where the instruction stands in the Dockerfile. */
  range?: SourceRange;
  /** Nodes of other stages and images that this one reads beside its parent, for COPY --from and mounts. */
  dependencies: NodeId[];
  /** Runs again even when a result is recorded. */
  noCache?: boolean;
  /** Present with `noCache`. */
  noCacheBy?: NoCacheReason;
}

/** What asked for a step to run again: `--no-cache`, `--no-cache-filter`, or a comment above its instruction. */
export type NoCacheReason = 'option' | 'filter' | 'comment';

export type Operation = ScratchOperation | ImageOperation | RunOperation | CopyOperation | WorkdirOperation;

/** `FROM scratch`. */
export interface ScratchOperation {
  kind: 'scratch';
}

/** An image of the store or of a registry, as `FROM` or `COPY --from` names it. */
export interface ImageOperation {
  kind: 'image';
  reference: string;
  imageId: Digest;
  diffIds: Digest[];
  /** It was in a registry when the plan was made. */
  remote?: true;
}

/** `USER` as it stands: names are looked up in the stage's own /etc/passwd when the step runs. Empty is root. */
export type UserText = string;

export interface RunOperation {
  kind: 'run';
  parent: NodeId;
  /** The program and its arguments; for the shell form with the shell in front. */
  args: string[];
  /** As people wrote it, for messages: `/bin/sh -c make`. */
  command: string;
  /** `KEY=value` of ENV and ARG, PATH always among them; one that was set again stands where it was set last. Part of the key. */
  env: string[];
  /** Names in `env` whose values come from ARG; absent for none. No part of the key: for explanations. */
  argNames?: string[];
  /** Proxy arguments: in the environment, never in key, history or image. */
  hiddenEnv: string[];
  cwd: string;
  user: UserText;
  network: 'default' | 'none' | 'host';
  security: 'sandbox' | 'insecure';
  mounts: RunMount[];
  /** Heredocs with a shebang: written as executable files under /dev/pipes, mounted read-only. */
  scripts: { name: string; content: string }[];
  /** Of `--device`. */
  devices?: RunDevice[];
  /** Names of devices and kinds that `--allow` gives; `*` is all. No part of the key. */
  allowedDevices?: string[];
  hostname: string;
}

/** One `RUN --device`: a name of the Container Device Interface. */
export interface RunDevice {
  name: string;
  required: boolean;
}

/** One `RUN --mount`. Targets are absolute. */
export type RunMount =
  | { type: 'bind'; target: string; source: string; from: FileSource; readWrite: boolean }
  | {
      type: 'cache';
      target: string;
      id: string;
      sharing: 'shared' | 'private' | 'locked';
      from?: FileSource | undefined;
      source: string;
      readOnly: boolean;
      mode: number;
      uid: number;
      gid: number;
    }
  | { type: 'tmpfs'; target: string; size?: number | undefined }
  | {
      type: 'secret';
      id: string;
      target?: string | undefined;
      env?: string | undefined;
      required: boolean;
      mode: number;
      uid: number;
      gid: number;
    }
  | {
      type: 'ssh';
      id: string;
      target: string;
      required: boolean;
      mode: number;
      uid: number;
      gid: number;
    };

/** Where files come from: the build context, a named one, or the root file system of a node (stage or image). */
export type FileSource = { kind: 'context'; name?: string | undefined } | { kind: 'node'; node: NodeId };

/** A source of ADD that is fetched; `index` is its place in `sources`. */
export type RemoteSource =
  | { kind: 'http'; index: number; url: string; checksum?: string }
  | { kind: 'git'; index: number; location: GitLocation };

export interface CopyOperation {
  kind: 'copy';
  /** ADD extracts local archives. */
  instruction: 'COPY' | 'ADD';
  parent: NodeId;
  from: FileSource;
  /** Expanded, in the order of the line; text as in the Dockerfile (UTF-8). */
  sources: string[];
  /** Those of `sources` that ADD fetches; absent for none. */
  remotes?: RemoteSource[];
  /** Files whose content stands in the Dockerfile. */
  heredocs: { name: string; content: string }[];
  /** Absolute, cleaned; a trailing slash is kept: it means "a directory". */
  destination: string;
  /** As written and expanded; undefined for none. */
  chown?: string | undefined;
  chmod?: string | undefined;
  /** A layer made on nothing and stacked on the parent: it depends neither on it nor on its links. */
  link: boolean;
  parents: boolean;
  exclude: string[];
  /** ADD: undefined means Docker's default (local archives are unpacked). */
  unpack?: boolean | undefined;
}

export interface WorkdirOperation {
  kind: 'workdir';
  parent: NodeId;
  /** Absolute, cleaned, not `/`. */
  path: string;
  user: UserText;
}

/** What a build check or the compiler has to say; `code` is the rule's name (SPEC section 2). */
export interface BuildWarning {
  code: string;
  message: string;
  range: SourceRange;
}
