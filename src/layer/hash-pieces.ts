import { createHash, type Hash, hash } from 'node:crypto';
import { openResumableSha256, type ResumableSha256 } from '../sys/resumable-sha256.ts';
import { type ArchiveDigests, type ArchiveHash, PIECE_BYTES } from './archive-hash.ts';

/** The work of an `ArchiveHash`, wherever the pieces come from. */
export interface PieceHasher extends Omit<ArchiveHash, 'piece' | 'add'> {
  add(piece: Buffer, files: readonly number[]): void;
}

/** @param keepsStates asks for a hash whose states can be put aside; it is not there on every Node */
export function openPieceHasher(keepsStates: boolean): PieceHasher {
  const resumable: ResumableSha256 | undefined = keepsStates ? openResumableSha256() : undefined;
  const archive: ResumableSha256 | Hash = resumable ?? createHash('sha256');
  const digests: ArchiveDigests = { archive: '', files: [], states: [] };
  /** Of a file that goes on. */
  let open: Hash | undefined;
  return {
    keepsStates: resumable !== undefined,
    add(piece, files) {
      archive.update(piece);
      for (let at = 0; at < files.length; at += 3) {
        const part = piece.subarray(files[at], files[at + 1]);
        const ends = files[at + 2] === 1;
        if (open === undefined && ends) {
          // One call for a whole small file is twice as fast as a hash object.
          digests.files.push(hash('sha256', part, 'hex'));
          continue;
        }
        open ??= createHash('sha256');
        open.update(part);
        if (!ends) continue;
        digests.files.push(open.digest('hex'));
        open = undefined;
      }
    },
    keepState: () => void digests.states.push(resumable!.state()),
    resume: (state, offset) => resumable!.resume(state, offset),
    finish: () => ({ ...digests, archive: archive.digest('hex') }),
  };
}

/** Hashes each piece when it is there. */
export function hashPieces(keepsStates: boolean): ArchiveHash {
  const { add, ...hasher } = openPieceHasher(keepsStates);
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  return {
    ...hasher,
    piece: () => piece,
    add: (length, files) => add(piece.subarray(0, length), files),
  };
}
