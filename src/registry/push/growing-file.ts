import { SlipwayError } from '../../errors/index.ts';

/** A file that somebody writes, as whoever reads behind sees it. */
export class GrowingFile {
  #path = '';
  #bytes = 0;
  #state: 'growing' | 'whole' | 'failed' = 'growing';
  #waiting: (() => void)[] = [];

  /** Of no meaning before there is a byte. */
  get path(): string {
    return this.#path;
  }

  get whole(): boolean {
    return this.#state === 'whole';
  }

  /** So many bytes are there now. */
  grow(path: string, bytes: number): void {
    this.#path = path;
    this.#bytes = bytes;
    this.#wake();
  }

  /** It is whole. */
  finish(path: string, bytes: number): void {
    this.#state = 'whole';
    this.grow(path, bytes);
  }

  /** It never will be whole. */
  fail(): void {
    this.#state = 'failed';
    this.#wake();
  }

  /**
   * Resolves when there are so many bytes, or all of it, with how many there are.
   *
   * @throws SlipwayError `canceled` when the file never will be whole
   */
  async atLeast(bytes: number): Promise<number> {
    while (this.#bytes < bytes && this.#state === 'growing')
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#state === 'failed') throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
    return this.#bytes;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
