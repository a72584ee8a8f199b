import type { ImageAnnotations } from '../image/types.ts';

/** Where a build's result goes beside the store. */
export type BuildOutput = FileOutput | RegistryOutput;

/** How layers and documents of an image are written. */
export interface OutputEncoding {
  /** Of layers that are not compressed. Default: `uncompressed` in files, `gzip` for a registry. */
  compression?: 'uncompressed' | 'gzip' | 'zstd';
  /** gzip 0 to 9 (default 4), zstd 0 to 22. */
  compressionLevel?: number;
  /** Layers that came in another form are compressed again. */
  forceCompression?: boolean;
  /** Media types of the documents. Default: OCI's; for `docker` as a directory Docker's. */
  mediaTypes?: 'oci' | 'docker';
  /** For this output alone, beside those of the build. */
  annotations?: ImageAnnotations;
}

/** Pushed to registries. */
export interface RegistryOutput extends OutputEncoding {
  type: 'registry';
  /** What to push it as; default: the tags of the build. */
  names?: readonly string[];
  /** By its digest alone: names have no tags. */
  pushByDigest?: boolean;
  /** In the store it also gets its names with its digest. */
  nameCanonical?: boolean;
  /** Certificates are not looked at, and http will do. */
  insecure?: boolean;
}

/** Files. */
export interface FileOutput extends OutputEncoding {
  /** `docker`, `oci`: an archive of the image; `tar`, `local`: its root file system. */
  type: 'docker' | 'oci' | 'tar' | 'local';
  /** Absolute path; `-` is standard output (not for `local` and directories). */
  dest: string;
  /** False: an OCI layout as a directory (`oci`, `docker`). Default true. */
  tar?: boolean;
  /** `delete`: what is in the directory and not in the image goes (`local`). Default `copy`. */
  mode?: 'copy' | 'delete';
  /** Into a folder named after the platform, `linux_amd64` (`local`). Default false. */
  platformSplit?: boolean;
}
