import { createHash, hash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { type Aborted, throwIfAborted } from './abort.ts';
import { type ArchiveDigests, type ArchiveHash, PIECE_BYTES, WHOLE_FILE } from './archive-hash.ts';
import {
  digestContent,
  type LayerFile,
  openContent,
  type PieceContents,
  readContent,
  readContents,
} from './read-content.ts';
import { BLOCK, paddingOf, type TarHeader } from './tar-format.ts';
import { encodeTarHeader, writeTarHeader, zeroBlock } from './tar-write.ts';

/** Receives the archive in order. The chunk is used again after the call returns: copy what is to be kept. */
export type PackSink = (chunk: Buffer) => void;

/** Most headers are no longer: an extended one with a time. */
const USUAL_HEADER = 3 * BLOCK;

/** A file whose content goes into the archive. */
export interface PackedFile extends LayerFile {
  /** It was taken to have no attributes that travel. See `PackOptions.lateAttributes`. */
  isBare: boolean;
}

/** SHA-256 of nothing, hex. */
export const EMPTY_SHA256 = hash('sha256', '', 'hex');

/**
 * The end of the packer: headers and contents are put into pieces, which are hashed and handed on when they are
 * full. So every byte is read once.
 */
export class PackOutput {
  readonly #sink: PackSink | undefined;
  readonly #aborted: Aborted | undefined;
  readonly #hash: ArchiveHash;
  #piece: Buffer;
  #length = 0;
  #total = 0;
  /** Of the piece, see `PieceParts`. */
  #files: number[] = [];
  #marks: number[] = [];
  /** Contents that have a place in the piece and are not in it. */
  #contents: PieceContents[] = [];

  constructor(sink: PackSink | undefined, aborted: Aborted | undefined, hash: ArchiveHash) {
    this.#sink = sink;
    this.#aborted = aborted;
    this.#hash = hash;
    this.#piece = hash.piece();
  }

  /** Bytes so far. */
  get offset(): number {
    return this.#total + this.#length;
  }

  /** Puts the state of the hash aside that is behind everything so far. */
  keepState(): void {
    this.#marks.push(this.#length);
  }

  /** Goes on behind the first `offset` bytes of an archive, of which only the hash's state is known. */
  resumeAt({ offset, state }: { offset: number; state: Buffer }): void {
    this.#hash.resume(state, offset);
    this.#total = offset;
    this.#length = 0;
  }

  header(header: TarHeader): void {
    this.#room(USUAL_HEADER);
    const length = writeTarHeader(this.#piece, this.#length, PIECE_BYTES, header);
    if (length > 0) this.#length += length;
    else this.bytes(encodeTarHeader(header));
  }

  bytes(data: Buffer): void {
    for (let at = 0; at < data.length; ) {
      this.#room(1);
      const take = Math.min(data.length - at, PIECE_BYTES - this.#length);
      data.copy(this.#piece, this.#length, at, at + take);
      this.#length += take;
      at += take;
    }
  }

  /**
   * Puts the `size` bytes (not 0) of a file there and fills up to a block. That the file is shorter, or another one by
   * now, may only show later: then this, `finish` or what comes between throws `changed`.
   *
   * @returns where `isDigested`, the file's SHA-256, hex, or undefined if it is the next of those that `finish` returns
   */
  content(file: PackedFile, size: number, isDigested: boolean): string | undefined {
    const sha256 =
      size > WHOLE_FILE ? this.#large(file, size, isDigested) : this.#small(file, size, isDigested);
    this.#pad(size);
    return sha256;
  }

  #small({ base, path, isBare }: PackedFile, size: number, isDigested: boolean): undefined {
    this.#room(size);
    const start = this.#length;
    let contents = this.#contents.at(-1);
    if (contents?.base !== base) {
      contents = { base, paths: [], starts: [], sizes: [], bare: [] };
      this.#contents.push(contents);
    }
    contents.paths.push(path);
    contents.starts.push(start);
    contents.sizes.push(size);
    contents.bare.push(isBare);
    this.#length += size;
    if (isDigested) this.#files.push(start, this.#length);
  }

  /** What hashes the archive elsewhere reads large files itself: this thread goes on with what comes behind. */
  #large({ base, path }: PackedFile, size: number, isDigested: boolean): string | undefined {
    const { addFile } = this.#hash;
    const file = { base, path };
    if (this.#sink !== undefined || addFile === undefined) return this.#inPieces(file, size, isDigested);
    this.#flush();
    addFile(file, size);
    this.#total += size;
    const buffer = this.#piece;
    return isDigested ? digestContent(file, size, { buffer, aborted: this.#aborted }) : undefined;
  }

  #inPieces({ base, path }: LayerFile, size: number, isDigested: boolean): string | undefined {
    const digest = isDigested ? createHash('sha256') : undefined;
    const fd = openContent(base, path);
    try {
      for (let left = size; left > 0; ) {
        this.#room(1);
        const start = this.#length;
        const end = Math.min(start + left, PIECE_BYTES);
        readContent(fd, path, this.#piece, start, end);
        digest?.update(this.#piece.subarray(start, end));
        this.#length = end;
        left -= end - start;
      }
    } finally {
      closeSync(fd);
    }
    return digest?.digest('hex');
  }

  /** Hands on what is left. */
  finish(): ArchiveDigests & { size: number } {
    this.#flush();
    return { ...this.#hash.finish(), size: this.#total };
  }

  #pad(size: number): void {
    const padding = paddingOf(size);
    this.#room(padding);
    this.#length += zeroBlock.copy(this.#piece, this.#length, 0, padding);
  }

  #room(bytes: number): void {
    if (this.#length + bytes > PIECE_BYTES) this.#flush();
  }

  #flush(): void {
    throwIfAborted(this.#aborted);
    if (this.#sink !== undefined || !this.#hash.hasTime) {
      readContents(this.#piece, this.#contents);
      this.#contents = [];
    }
    this.#sink?.(this.#piece.subarray(0, this.#length));
    this.#hash.add(this.#length, {
      contents: this.#contents,
      files: this.#files,
      marks: this.#marks,
    });
    this.#total += this.#length;
    this.#length = 0;
    this.#contents = [];
    this.#files = [];
    this.#marks = [];
    this.#piece = this.#hash.piece();
  }
}
