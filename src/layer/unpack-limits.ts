import { SlipwayError } from '../errors/index.ts';
import type { TarHeader } from './tar-format.ts';
import type { UnpackOptions } from './unpack-types.ts';

const defaults = { maxEntries: 2_000_000, maxBytes: 256 * 2 ** 30, maxMetadata: 512 * 2 ** 20 };

/** Adds up what an archive asks for, so that a small download cannot fill the disk or the memory. */
export class UnpackLimits {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #maxMetadata: number;
  #bytes = 0;
  #metadata = 0;
  /** Entries counted so far. */
  entries = 0;

  constructor(options: UnpackOptions) {
    this.#maxEntries = options.maxEntries ?? defaults.maxEntries;
    this.#maxBytes = options.maxBytes ?? defaults.maxBytes;
    this.#maxMetadata = options.maxMetadata ?? defaults.maxMetadata;
  }

  /** Throws `exhausted`, the limit in its message, when this entry goes beyond one. */
  count({ path, link, size, xattrs }: TarHeader): void {
    if (++this.entries > this.#maxEntries) {
      throw beyond('LAYER_TOO_MANY_ENTRIES', `a layer has more than ${this.#maxEntries} entries`);
    }
    this.#bytes += size;
    if (this.#bytes > this.#maxBytes) {
      throw beyond('LAYER_TOO_LARGE', `the files of a layer have more than ${this.#maxBytes} bytes`);
    }
    this.#metadata += path.length + (link?.length ?? 0);
    if (xattrs !== undefined) {
      for (const [name, value] of xattrs) this.#metadata += name.length + value.length;
    }
    if (this.#metadata > this.#maxMetadata) {
      const what = `the names and attributes of a layer have more than ${this.#maxMetadata} bytes`;
      throw beyond('LAYER_METADATA_TOO_LARGE', what);
    }
  }
}

function beyond(code: string, message: string): SlipwayError {
  return new SlipwayError('exhausted', message, { code });
}
