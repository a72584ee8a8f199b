import { createHash, type Hash, hash } from 'node:crypto';
import { openResumableSha256, type ResumableSha256 } from '../sys/resumable-sha256.ts';
import { type ArchiveDigests, type ArchiveHash, PIECE_BYTES, type PieceParts } from './archive-hash.ts';
import { type LayerFile, readContents, readParts } from './read-content.ts';

/** The work of an `ArchiveHash`, wherever the pieces come from. */
export interface PieceHasher extends Pick<ArchiveHash, 'keepsStates' | 'resume'> {
  /** Returns the digests of the files in the piece, and the states at its marks. Errors as `readContents`. */
  add(piece: Buffer, parts: PieceParts): HashedPiece;
  /** Reads the file into `buffer`, as often as that takes. Errors as `readContents`. */
  addFile(file: LayerFile, size: number, buffer: Buffer): void;
  /** SHA-256 of the archive, hex. */
  finish(): string;
}

export interface HashedPiece {
  files: string[];
  states: Buffer[];
}

/** @param keepsStates asks for a hash whose states can be put aside; it is not there on every Node */
export function openPieceHasher(keepsStates: boolean): PieceHasher {
  const resumable: ResumableSha256 | undefined = keepsStates ? openResumableSha256() : undefined;
  const archive: ResumableSha256 | Hash = resumable ?? createHash('sha256');

  return {
    keepsStates: resumable !== undefined,
    add(piece, { contents, files, marks }) {
      readContents(piece, contents);
      const states: Buffer[] = [];
      let done = 0;
      for (const mark of marks) {
        archive.update(piece.subarray(done, mark));
        states.push(resumable!.state());
        done = mark;
      }
      archive.update(piece.subarray(done));
      return { files: digestFiles(piece, files), states };
    },
    addFile: (file, size, buffer) => readParts(file, size, { buffer, take: (part) => archive.update(part) }),
    resume: (state, offset) => resumable!.resume(state, offset),
    finish: () => archive.digest('hex'),
  };
}

function digestFiles(piece: Buffer, files: readonly number[]): string[] {
  const digests: string[] = [];
  // One call for a whole file is twice as fast as a hash object.
  for (let at = 0; at < files.length; at += 2)
    digests.push(hash('sha256', piece.subarray(files[at], files[at + 1]), 'hex'));
  return digests;
}

/** Hashes each piece when it is there. */
export function hashPieces(keepsStates: boolean): ArchiveHash {
  const hasher = openPieceHasher(keepsStates);
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  const digests = collectDigests();
  return {
    keepsStates: hasher.keepsStates,
    piece: () => piece,
    // Whoever fills a piece is the same thread.
    hasTime: false,
    add: (length, parts) => digests.take(hasher.add(piece.subarray(0, length), parts)),
    resume: (state, offset) => hasher.resume(state, offset),
    finish: () => digests.end(hasher.finish()),
  };
}

/** Puts together what comes of the pieces. */
export function collectDigests() {
  const files: string[] = [];
  const states: Buffer[] = [];
  return {
    take(piece: HashedPiece): void {
      for (const digest of piece.files) files.push(digest);
      states.push(...piece.states);
    },
    end: (archive: string): ArchiveDigests => ({ archive, files, states }),
  };
}
