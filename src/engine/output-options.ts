import type { ImageAnnotations } from '../image/types.ts';

/** Where a build's result goes beside the store. */
export interface BuildOutput {
  /** `docker`, `oci`: an archive of the image; `tar`, `local`: its root file system. */
  type: 'docker' | 'oci' | 'tar' | 'local';
  /** Absolute path; `-` is standard output (not for `local` and directories). */
  dest: string;
  /** False: an OCI layout as a directory (`oci`, `docker`). Default true. */
  tar?: boolean;
  /** Of the layers of an archive. Default: `uncompressed`. A layer that came compressed keeps its form. */
  compression?: 'uncompressed' | 'gzip' | 'zstd';
  /** gzip 0 to 9, zstd 0 to 22. */
  compressionLevel?: number;
  /** Layers that came in another form are compressed again. */
  forceCompression?: boolean;
  /** Media types of the archive's documents. Default: OCI's; for `docker` as a directory Docker's. */
  mediaTypes?: 'oci' | 'docker';
  /** For this output alone, beside those of the build. */
  annotations?: ImageAnnotations;
  /** `delete`: what is in the directory and not in the image goes (`local`). Default `copy`. */
  mode?: 'copy' | 'delete';
  /** Into a folder named after the platform, `linux_amd64` (`local`). Default false. */
  platformSplit?: boolean;
}
