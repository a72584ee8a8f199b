import type { Descriptor, Digest } from '../../image/types.ts';

/** A cache mount whose archive lies in a file of the store's tmp/. */
export interface PackedMount {
  /** As `RUN --mount=type=cache,id=` names it. */
  id: string;
  /** Of the archive, not compressed. */
  diffId: Digest;
  /** Sum of the file sizes. */
  size: number;
  blob: Descriptor;
  path: string;
}
