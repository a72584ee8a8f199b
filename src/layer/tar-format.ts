import { SlipwayError } from '../errors/index.ts';
import type { BytePath } from '../sys/bytes.ts';

/** Tar works in blocks of this many bytes. */
export const BLOCK = 512;

export type TarType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** One entry of an archive, in the archive's own words. */
export interface TarHeader {
  /** As it stands there: it may be absolute, hold `..`, end in a slash. */
  path: BytePath;
  type: TarType;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content; of a sparse file with its holes. 0 for everything but files. */
  size: number;
  /** Nanoseconds since 1970. */
  mtimeNs: bigint;
  /** Text of a symbolic link, or the path that a hard link names. */
  link?: BytePath;
  major?: number;
  minor?: number;
  /** Names with one code unit per byte, values raw. */
  xattrs?: Map<string, Buffer> | undefined;
}

/** Receives an archive's entries in their order, synchronously. */
export interface TarHandler {
  entry(header: TarHeader): void;
  /**
   * Content of the last entry: `offset` is its place in the file. What is never given (holes of sparse files)
   * reads as zeros. The chunk is a view of the reader's input.
   */
  data(chunk: Buffer, offset: number): void;
  /** The last entry is complete. */
  end(): void;
}

/** Sizes that no honest archive passes; going beyond is an error that names the limit. */
export const tarLimits = {
  /** Bytes of a path or link text (PATH_MAX). */
  path: 4096,
  /** Bytes of one extended header (Go's archive/tar has the same bound), and of all global ones together. */
  extendedHeader: 1 << 20,
  /** Data areas of one sparse file. */
  sparseAreas: 1 << 20,
};

/** The error of an archive that is not what it should be: kind `invalid`. */
export function badTar(code: string, message: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', message, { code, cause });
}

/** Bytes from the end of `size` bytes of content to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
