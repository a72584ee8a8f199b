import { BLOCK, paddingOf } from '../layer/tar-format.ts';
import { encodeTarHeader, endOfArchive } from '../layer/tar-write.ts';
import { bytesOf } from '../sys/bytes.ts';

/**
 * Writes the tar around an image archive. Synchronous, since the packer of layers is; all times, owners and modes
 * are fixed, so that the same content gives the same bytes.
 */
export class OuterTar {
  readonly #write: (bytes: Uint8Array) => void;
  /** Content of the open file that is still to come. */
  #left = 0;
  #padding = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  directory(path: string): void {
    this.#header(`${path}/`, 'directory', 0o755, 0);
  }

  file(path: string, content: Buffer): void {
    this.begin(path, content.length);
    this.content(content);
    this.end();
  }

  /** Starts a file of exactly `size` bytes, given by calls of `content`. */
  begin(path: string, size: number): void {
    this.#header(path, 'file', 0o644, size);
    this.#left = size;
    this.#padding = paddingOf(size);
  }

  content(bytes: Uint8Array): void {
    this.#left -= bytes.length;
    if (this.#left < 0) throw new RangeError('more content than announced');
    this.#write(bytes);
  }

  end(): void {
    if (this.#left !== 0) throw new RangeError('less content than announced');
    if (this.#padding > 0) this.#write(Buffer.alloc(BLOCK).subarray(0, this.#padding));
  }

  finish(): void {
    this.#write(endOfArchive);
  }

  #header(path: string, type: 'file' | 'directory', mode: number, size: number): void {
    this.#write(encodeTarHeader({ path: bytesOf(path), type, mode, uid: 0, gid: 0, size, mtimeNs: 0n }));
  }
}
