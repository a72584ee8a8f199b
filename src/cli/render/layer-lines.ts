import type { LayerProgress } from '../../engine/pull/pull-layers.ts';
import { progressBar } from './progress-bar.ts';

const TEXTS: Readonly<Record<LayerProgress['state'], string>> = {
  exists: 'Already exists',
  pulling: 'Pulling fs layer',
  waiting: 'Waiting',
  downloading: 'Downloading',
  verifying: 'Verifying Checksum',
  downloaded: 'Download complete',
  extracting: 'Extracting',
  complete: 'Pull complete',
};

/** A terminal is drawn to no more often than this, but for states. */
const REDRAW_MS = 100;

/**
 * The layers of an image that is pulled, as Docker shows them: on a terminal one line for each, which is drawn again;
 * elsewhere a line for each state, without progress.
 */
export class LayerLines {
  readonly #out: NodeJS.WriteStream;
  readonly #rows: string[] = [];
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(progress: LayerProgress): void {
    const { digest, state, current, total } = progress;
    const id = digest.slice('sha256:'.length, 'sha256:'.length + 12);
    if (!this.#out.isTTY) {
      if (current === undefined) this.#out.write(`${id}: ${TEXTS[state]}\n`);
      return;
    }
    const now = performance.now();
    if (current !== undefined && current !== total && now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    const bar = current === undefined ? ' ' : ` ${progressBar(current, total!, this.#out.columns)}`;
    this.#draw(id, `${id}: ${TEXTS[state]}${bar}`);
  }

  /** What comes next stands below. */
  end(): void {
    this.#rows.length = 0;
  }

  #draw(id: string, text: string): void {
    let row = this.#rows.indexOf(id);
    if (row === -1) {
      row = this.#rows.push(id) - 1;
      this.#out.write('\n');
    }
    const up = this.#rows.length - row;
    this.#out.write(`\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`);
  }
}
