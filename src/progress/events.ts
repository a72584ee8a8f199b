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

export interface BuildWarned {
  type: 'warning';
  vertex?: string;
  code: string;
  message: string;
  range?: SourceRange;
}
