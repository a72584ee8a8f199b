import type { Digest } from '../image/types.ts';
import type { ArchiveFile } from './archive-files.ts';

/** An image of an archive; its layers are still to be read. */
export interface ArchiveImage {
  id: Digest;
  /** Verified: `id` is its digest. */
  config: Buffer;
  /** Normalised. */
  names: string[];
  /** Bottom first. */
  layers: ArchiveLayer[];
  /** Id of the image that it was made from, which is in the archive too. */
  parent?: Digest;
  /** It is there as the parent of others; nobody asked for it by itself. */
  intermediate?: boolean;
  /** The manifest it came with, verified, where there is one. */
  manifest?: Buffer;
}

export interface ArchiveLayer {
  diffId: Digest;
  file: ArchiveFile;
  /** What the manifest says the file is; to be verified while it is read. */
  blob?: { digest: Digest; size: number };
}
