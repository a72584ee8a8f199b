import type { ImageAnnotations } from '../image/types.ts';

/** What becomes of the image when its stage is done. */
export interface ImageOptions {
  labels?: Readonly<Record<string, string>>;
  /** Kept with the image in the store, and written wherever it goes. */
  annotations?: ImageAnnotations;
  /**
   * `new`: the layers that this build adds become one, as in Docker and Podman. `all`: those of the base too, as in
   * Buildah. The cache keeps the layers of the steps. Default: a layer for each step that makes one.
   */
  squash?: 'new' | 'all' | undefined;
  /** Seconds since 1970: as SOURCE_DATE_EPOCH for the times in the image, but no build argument. */
  timestamp?: number | undefined;
  /**
   * False: SOURCE_DATE_EPOCH bounds the times in configuration and history and leaves files alone, as BuildKit does
   * unless asked. Default true.
   */
  rewriteTimestamp?: boolean | undefined;
  /** Variables that the image does not keep; steps have them. */
  unsetEnv?: readonly string[];
  /** Labels that are not inherited from the base. */
  unsetLabels?: readonly string[];
}
