import type { LayerProgress } from '../../engine/pull/pull-layers.ts';
import { LayerRows } from './layer-rows.ts';
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

/**
 * The layers of an image that is pulled, as Docker shows them: on a terminal one line for each, which is drawn again;
 * elsewhere a line for each state, without progress.
 */
export class LayerLines {
  readonly #out: NodeJS.WriteStream;
  readonly #rows: LayerRows;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#rows = new LayerRows(out);
  }

  show(progress: LayerProgress): void {
    const { digest, state, current, total } = progress;
    const id = digest.slice('sha256:'.length, 'sha256:'.length + 12);
    if (!this.#out.isTTY) {
      if (current === undefined) this.#out.write(`${id}: ${TEXTS[state]}\n`);
      return;
    }
    if (current !== undefined && current !== total && !this.#rows.isDue()) return;
    const bar = current === undefined ? ' ' : ` ${progressBar(current, total!, this.#out.columns)}`;
    this.#rows.draw(id, `${TEXTS[state]}${bar}`);
  }

  /** What comes next stands below. */
  end(): void {
    this.#rows.end();
  }
}
