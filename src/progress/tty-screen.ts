import type { ProgressStream } from './clock.ts';
import { textWidth } from './text-width.ts';
import type { FrameLine, FrameSize, LineStyle } from './tty-frame.ts';

const COLOURS: Record<LineStyle, string> = {
  plain: '',
  done: '\x1b[34m',
  error: '\x1b[31m',
  canceled: '\x1b[33m',
  log: '\x1b[2m',
};
const RESET = '\x1b[0m';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
// Terminals that know synchronized updates show the picture when it is complete; others ignore these.
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';
const ERASE_LINE_END = '\x1b[K';
const ERASE_BELOW = '\x1b[J';

/**
 * The lower part of a terminal, drawn over and over. The cursor is hidden while it is in use and comes back with
 * `restore`, and when the process ends by `process.exit` too.
 */
export class TtyScreen {
  readonly #stream: ProgressStream;
  readonly #colour: boolean;
  readonly #onExit = () => this.restore();
  #drawn: number[] = [];
  #hidden = false;

  constructor(stream: ProgressStream, options: { colour: boolean }) {
    this.#stream = stream;
    this.#colour = options.colour;
  }

  /** Sizes of the terminal; 80 by 24 where it does not say. */
  size(): FrameSize {
    return { columns: this.#stream.columns || 80, rows: this.#stream.rows || 24 };
  }

  /** Puts `lines` in the place of the last ones. No line may be wider than the terminal. */
  draw(lines: readonly FrameLine[]): void {
    let out = BEGIN_UPDATE;
    if (!this.#hidden) {
      out += HIDE_CURSOR;
      this.#hidden = true;
      process.once('exit', this.#onExit);
    }
    out += this.#toTop();
    for (const { text, style } of lines) {
      const colour = this.#colour ? COLOURS[style] : '';
      out += `${colour}${text}${colour === '' ? '' : RESET}${ERASE_LINE_END}\n`;
    }
    this.#stream.write(`${out}${ERASE_BELOW}${END_UPDATE}`);
    this.#drawn = lines.map(({ text }) => textWidth(text));
  }

  /** Leaves what is drawn and goes on below it; shows the cursor. */
  restore(): void {
    this.#drawn = [];
    if (!this.#hidden) return;
    this.#hidden = false;
    process.removeListener('exit', this.#onExit);
    this.#stream.write(SHOW_CURSOR);
  }

  /** Back to the first line of the last picture, whose lines a terminal made narrower since has broken. */
  #toTop(): string {
    const { columns, rows } = this.size();
    const height = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    const up = Math.min(height, rows - 1);
    return up > 0 ? `\r\x1b[${up}A` : '\r';
  }
}
