import type { SourceRange } from '../errors/index.ts';

/** Times are milliseconds since 1970, fractions allowed. */
export type Milliseconds = number;

/**
 * Everything that happens in a build, as one stream. Readers: the terminal view, the plain log, raw JSON, the
 * record of the build. A vertex is anything that takes time and has a name: a step, reading the Dockerfile,
 * exporting.
 */
export type BuildEvent =
  | VertexAnnounced
  | VertexStarted
  | VertexEnded
  | VertexStatus
  | VertexLog
  | BuildOutlined
  | LineImaged
  | BuildWarned;

/** All steps are announced when the plan is known, so that displays can count; the rest as they come up. */
export interface VertexAnnounced {
  type: 'announced';
  vertex: string;
  /** With its prefix: `[build 2/4] RUN make`. */
  name: string;
  /** Vertices it waits for. */
  inputs: string[];
  /** Builder's own work (`[internal] load build definition`, `exporting to image`), not a step of the Dockerfile. */
  internal: boolean;
  /** Where the instruction stands. */
  range?: SourceRange;
}

export interface VertexStarted {
  type: 'started';
  vertex: string;
  time: Milliseconds;
}

export interface VertexEnded {
  type: 'ended';
  vertex: string;
  time: Milliseconds;
  /** `cached`: a recorded result was used (there is no `started` before it). */
  outcome: 'done' | 'cached' | 'failed' | 'canceled';
  error?: string;
}

/** Progress inside a vertex; `total` absent when it is not known. Units are bytes or things, as `unit` says. */
export interface VertexStatus {
  type: 'status';
  vertex: string;
  /** What is being counted: `copying files`, `exporting layers`. */
  id: string;
  current: number;
  total?: number;
  unit: 'bytes' | 'items';
  time: Milliseconds;
  done: boolean;
}

/** Output of a step, in the order and the pieces in which it came; not cut at lines. */
export interface VertexLog {
  type: 'log';
  vertex: string;
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
  time: Milliseconds;
}

/** A line of the Dockerfile that is built. */
export interface OutlinedLine {
  /** Continuation lines joined. */
  text: string;
  /** What it is; a `setting` only changes the configuration, a `global` is an ARG before the first FROM. */
  kind: 'global' | 'from' | 'run' | 'copy' | 'setting';
  /** It comes from an ONBUILD of the base and stands under its FROM. */
  trigger: boolean;
  /** Its step. */
  vertex?: string;
}

/** Every line of the stages that are built, in the order of the file: once, before any step, where it was asked for. */
export interface BuildOutlined {
  type: 'outlined';
  /** Bytes of a tar of the build context. */
  contextSize: number;
  lines: OutlinedLine[];
}

/** A line is done: an image of the stage as it is now. They come in the order of the lines. */
export interface LineImaged {
  type: 'imaged';
  /** Index into the lines. */
  line: number;
  /** `sha256:…`; absent for an empty file system without configuration. */
  id?: string;
  /** The image was there before. */
  known: boolean;
}

export interface BuildWarned {
  type: 'warning';
  vertex?: string;
  code: string;
  message: string;
  range?: SourceRange;
}
