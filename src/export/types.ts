import type { LayerCompression } from '../image/media-types.ts';
import type { Digest, ImageAnnotations, Platform } from '../image/types.ts';
import type { PackRecipe } from '../store/layers.ts';

/** A layer as the writers here take it: plain data, with paths of this machine. */
export interface ExportLayer {
  diffId: Digest;
  /** Bytes of the uncompressed tar. */
  tarSize: number;
  packer: number;
  /** The layer directory. */
  directory: string;
  /** Directories under it that are parts of the layer, bottom first. */
  below?: string[];
  recipe?: PackRecipe;
  /** File of `encodeOverrides`, when the recipe says that there is one. */
  overridesPath?: string;
  /** The blob it came in: used instead of packing the directory. */
  origin?: { path: string; digest: Digest; size: number; mediaType: string };
}

/** An image as the writers here take it. */
export interface ExportImage {
  /** The configuration document, byte for byte as UTF-8. Its digest is the image's id. */
  config: string;
  /** Normalised names (`docker.io/library/x:1`) to be written down with it. */
  names: string[];
  /** Bottom first. */
  layers: ExportLayer[];
  annotations?: ImageAnnotations;
  /** The manifest that it came with, kept where the layers' blobs are still those that it names. UTF-8. */
  original?: string;
}

/** Images that are one image for several platforms. */
export interface ExportIndex {
  /** Which of the images that are written, and what each is for. */
  members: { image: number; platform: Platform }[];
  /** Normalised. */
  names: string[];
  annotations?: Readonly<Record<string, string>>;
  /** Of the index's descriptor in a layout. */
  descriptorAnnotations?: Readonly<Record<string, string>>;
}

/**
 * Where an archive goes. A `file` appears under its name only when it is whole, with mode 0600; `fd` is an open
 * file descriptor that stays open.
 */
export type Output = { kind: 'file'; path: string } | { kind: 'fd'; fd: number };

/** Looked at every few milliseconds; true ends the work with `canceled`. */
export type Aborted = () => boolean;

export interface LayerEncoding {
  compression: LayerCompression;
  /** gzip 0 to 9 (default 4), zstd 1 to 22 (0 is its default; otherwise the library's). */
  level?: number;
  /** Compress again what is compressed in another way. */
  force?: boolean;
}

/** How an image is written down: its layers, and the media types of its documents. */
export interface ImageEncoding extends LayerEncoding {
  /** Default `oci`. */
  family?: 'oci' | 'docker';
}
