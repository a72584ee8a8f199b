import type { BuildEvent } from './events.ts';

/** A reader of the event stream; the seam behind which displays and records stand. Must never throw. */
export interface ProgressSink {
  event(event: BuildEvent): void;
  /** It shows the builder's own work that is no step, too: `[internal] load build definition`. */
  readonly internals?: boolean;
  /** The build has ended; whatever is still to be written is written before this resolves. */
  close(): Promise<void>;
}
