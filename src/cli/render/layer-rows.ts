/** A terminal is drawn to no more often than this, but for states. */
const REDRAW_MS = 100;

/**
 * Lines of layers on a terminal, which are drawn again as Docker draws them. They are cut at the terminal's edge: one
 * that is broken would be two lines to the cursor.
 */
export class LayerRows {
  readonly #out: NodeJS.WriteStream;
  readonly #rows: string[] = [];
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** False where a change of an amount comes too soon after the last. */
  isDue(): boolean {
    return performance.now() - this.#drawn >= REDRAW_MS;
  }

  draw(id: string, text: string): void {
    this.#drawn = performance.now();
    let row = this.#rows.indexOf(id);
    if (row === -1) {
      row = this.#rows.push(id) - 1;
      this.#out.write('\n');
    }
    const up = this.#rows.length - row;
    // It has left the screen at the top, where no cursor goes.
    if (this.#out.rows > 0 && up >= this.#out.rows) return;
    const line = `${id}: ${text}`;
    const cut = this.#out.columns > 0 ? line.slice(0, this.#out.columns - 1) : line;
    this.#out.write(`\x1b[${up}A\x1b[2K\r${cut}\r\x1b[${up}B`);
  }

  /** What comes next stands below. */
  end(): void {
    this.#rows.length = 0;
  }
}
