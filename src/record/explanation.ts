import type { Cause } from '../cache/explain/cause.ts';

/** Why each step of a build ran. Plain data: what `explain --format=json` prints. */
export interface Explanation {
  build: string;
  /** Milliseconds since 1970. */
  started: number;
  /** Builds of the same thing that it was compared with; usually the one before. */
  comparedWith: string[];
  steps: StepExplanation[];
}

export interface StepExplanation {
  /** As displays name it: `[build 2/4] RUN make`. */
  step: string;
  /** Line of the Dockerfile. */
  line?: number;
  outcome: 'ran' | 'cached' | 'failed' | 'canceled' | 'not-reached';
  /** Of a cached step: the build that made the result; an empty id where it came from an imported cache. */
  from?: { build: string; started?: number };
  /** Of a cached step: the step of the same build whose result it shares. */
  sameAs?: string;
  /** What it was compared with, for a step that ran. */
  comparedWith?: { build: string; step: string };
  /** Why it ran; empty for the others. */
  causes: Cause[];
}
