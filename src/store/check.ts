import type { Digest } from '../image/types.ts';
import type { OriginBlob, PackRecipe } from './layers.ts';
import type { LayerId } from './layout.ts';

/** Something wrong that `system check` found. */
export interface Finding {
  /**
   * Stable, for programs. `STRAY`, `DEAD_LEASE` and `UNFINISHED` are what dead processes leave behind, harmless;
   * the others are damage.
   */
  code:
    | 'INDEX_DAMAGED'
    | 'IMAGE_DAMAGED'
    | 'STEP_DAMAGED'
    | 'BLOB_MISSING'
    | 'BLOB_DAMAGED'
    | 'LAYER_MISSING'
    | 'LAYER_DAMAGED'
    | 'STRAY'
    | 'DEAD_LEASE'
    | 'UNFINISHED';
  /** One line for people. */
  message: string;
  /** What it is about: an image id, a layer id, a digest, a path under the root. */
  subject: string;
}

/** True for what the collector clears away without loss. */
export function isGarbage(finding: Finding): boolean {
  return finding.code === 'STRAY' || finding.code === 'DEAD_LEASE' || finding.code === 'UNFINISHED';
}

/** A layer that the worker is to verify. */
export interface LayerCheck {
  id: LayerId;
  /** The directories that make it up, bottom first. */
  stack: LayerId[];
  diffId: Digest;
  tarSize: number;
  size: number;
  packer: number;
  recipe?: PackRecipe;
  origin?: OriginBlob;
}
