import type { LayerFile, PieceContents } from './read-content.ts';

/** Bytes of a piece. */
export const PIECE_BYTES = 1 << 20;

/** Files up to this size lie in one piece: they are read in one call, by whoever has time, and hashed in one. */
export const WHOLE_FILE = 128 * 1024;

/**
 * Digests an archive that comes in pieces, and the files in it. What fills a piece and what hashes it may be two
 * threads: nothing is told of a digest before the end.
 */
export interface ArchiveHash {
  /** Whether states and `resume` can be had. */
  readonly keepsStates: boolean;
  /** A buffer of `PIECE_BYTES` for the next piece. What was in it is gone. */
  piece(): Buffer;
  /** Whether the next piece may be one whose contents are still to be read: what hashes has nothing else to do. */
  readonly hasTime: boolean;
  /** Takes the first `length` bytes of the last buffer. */
  add(length: number, parts: PieceParts): void;
  /** Takes the first `size` bytes of a file, which it reads itself, beside whoever fills pieces. */
  addFile?(file: LayerFile, size: number): void;
  /** Goes on from a state that was taken after `offset` bytes. */
  resume(state: Buffer, offset: number): void;
  finish(): ArchiveDigests;
}

/** What there is in a piece. */
export interface PieceParts {
  /** What is to be read into it before it is hashed; none unless `hasTime`. */
  contents: readonly PieceContents[];
  /** Where the contents of files lie that are to be digested, two numbers for each: start and end. */
  files: readonly number[];
  /** Where the state of the hash is put aside, behind whole blocks. */
  marks: readonly number[];
}

export interface ArchiveDigests {
  /** SHA-256 of the archive, hex. */
  archive: string;
  /** Of the files in the pieces, hex, in their order. */
  files: string[];
  /** What was put aside, in its order. */
  states: Buffer[];
}
