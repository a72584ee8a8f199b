import type { Descriptor, Digest, Platform } from '../image/types.ts';
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

/** Images of an archive that are one image for several platforms there. */
export interface ArchiveIndex {
  members: {
    image: ArchiveImage;
    platform: Platform;
    /** Of its descriptor, and of the manifest itself. */
    annotations?: Descriptor['annotations'];
    manifestAnnotations?: Descriptor['annotations'];
  }[];
  /** Normalised. */
  names: string[];
  annotations?: Descriptor['annotations'];
  /** Of its entry in index.json, without names and dates. */
  descriptorAnnotations?: Descriptor['annotations'];
}

/** What an archive has of what was asked for. */
export interface ArchiveContent {
  images: ArchiveImage[];
  /** Their members are among the images. */
  indexes: ArchiveIndex[];
}

export interface ArchiveLayer {
  diffId: Digest;
  file: ArchiveFile;
  /** What the manifest says the file is; to be verified while it is read. */
  blob?: { digest: Digest; size: number };
}

/** Names one image of a layout: by digest, by tag, or, with neither, the one tagged `latest` or else the only one. */
export interface LayoutSelect {
  tag?: string;
  digest?: string;
  /** Of a docker archive: the image that has this normalised name, or the only one. */
  name?: string | undefined;
  docker?: boolean;
  /** Of a docker archive of several images none, when no name was given. */
  only?: boolean;
}

/** Which images of an archive are wanted. */
export interface WantedImages {
  /** Of an index the image for this platform alone; the one of an image that is in none does not count. */
  platform?: Platform | undefined;
  /** Only images for these platforms, in an index or not. Without either, indexes are taken whole. */
  platforms?: readonly Platform[] | undefined;
  /** Just one image, or index. */
  select?: LayoutSelect | undefined;
}
