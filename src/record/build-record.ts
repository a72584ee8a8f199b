import type { KeyParts } from '../cache/keys.ts';
import type { Digest } from '../image/types.ts';
import type { NoCacheReason, NodeId } from '../plan/types.ts';

/** Version of the files of a record. One with another version is passed over. */
export const RECORD_FORMAT = 1;

/** What a build leaves behind: everything about it but the output of its steps. Plain data, kept as JSON. */
export interface BuildRecord {
  format: typeof RECORD_FORMAT;
  /** Twelve hex digits. */
  id: string;
  /** Milliseconds since 1970. */
  started: number;
  ended?: number;
  /** `interrupted`: its process is gone and had no time to say how it ended. */
  state: 'running' | 'done' | 'failed' | 'canceled' | 'interrupted';
  /** What is built: two builds that agree in this are one after the other of the same thing. */
  subject: BuildSubject;
  /** Normalised names of the image. */
  tags: string[];
  imageId?: Digest;
  error?: { code: string; message: string };
  stages: RecordedStage[];
  /** Index into `stages`. */
  target: number;
  /** Nodes of the plan in its order, those that were never reached among them. */
  steps: RecordedStep[];
  /** What else took time: exporting, loading. */
  tasks: RecordedTask[];
}

export interface BuildSubject {
  /** Absolute path or URL of the Dockerfile, `-` for standard input. */
  file: string;
  /** Absolute path or URL of the context. */
  context: string;
  target?: string;
  /** `linux/amd64` */
  platform?: string;
}

export interface RecordedStage {
  /** Position in the Dockerfile. */
  index: number;
  name?: string;
  displayName: string;
  result: NodeId;
}

export interface RecordedStep {
  id: NodeId;
  /** Index into `BuildRecord.stages`. */
  stage: number;
  kind: 'scratch' | 'image' | 'run' | 'copy' | 'workdir';
  /** `[build 2/4]`; empty where there is none. */
  label: string;
  title: string;
  /** Line of the Dockerfile. */
  line?: number;
  parent?: NodeId;
  /** Nodes that it reads beside its parent. */
  reads: NodeId[];
  /** Of an image. */
  image?: { reference: string; imageId: Digest };
  noCache?: NoCacheReason;
  /** Variables of a RUN that come from ARG. */
  argNames?: string[];
  /** Absent for a step that was not reached. */
  outcome?: 'done' | 'cached' | 'failed' | 'canceled';
  error?: string;
  /** Milliseconds since 1970. `started` is absent for what was cached, `digested` is when its layer's digest was known. */
  started?: number;
  ended?: number;
  digested?: number;
  /** Digest of the key's parts, known once its inputs are. */
  definition?: string;
  key?: string;
  parentChain?: Digest;
  /** What its key was made of; of a cached step the build that made it has them. */
  parts?: KeyParts;
  /** The build whose result was used; empty where it came from an imported cache. */
  from?: string;
  /** A node of this build whose result was used: an identical step. */
  same?: NodeId;
  diffId?: Digest;
  /** Sum of the sizes of its files in bytes. */
  size?: number;
  /** Bytes of output. */
  logBytes?: number;
  /** Which of its selections have a kept listing, see `listingName`. */
  listings?: string[];
}

export interface RecordedTask {
  name: string;
  started: number;
  ended?: number;
  outcome?: 'done' | 'failed' | 'canceled' | 'cached';
}

/** A step as displays name it: `[build 2/4] RUN make`. */
export function stepName({ label, title }: Pick<RecordedStep, 'label' | 'title'>): string {
  return label === '' ? title : `${label} ${title}`;
}
