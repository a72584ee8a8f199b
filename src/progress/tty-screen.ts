import type { ProgressStream } from './clock.ts';
import { lineColours } from './colours.ts';
import { wrapText } from './text-width.ts';
import type { FrameLine, FrameSize } from './tty-frame.ts';

const RESET = '\x1b[0m';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
// Terminals that know synchronized updates show the picture when it is complete; others ignore these.
const BEGIN_UPDATE = '\x1b[?2026h';
const END_UPDATE = '\x1b[?2026l';
const ERASE_LINE_END = '\x1b[K';
const ERASE_BELOW = '\x1b[J';

interface Line {
  text: string;
  /**
   * The beginning of a line whose rest has been overwritten, at this width. At another one terminals put it together
   * with what came behind it, each in its own way: it is left alone, before a line above is lost that is not ours.
   */
  only?: number;
}

/**
 * The lower part of a terminal, drawn over and over. The cursor is hidden while it is in use and comes back with
 * `restore`, and when the process ends by `process.exit` too.
 */
export class TtyScreen {
  readonly #stream: ProgressStream;
  readonly #colours: ReturnType<typeof lineColours> | undefined;
  readonly #onExit = () => this.restore();
  #drawn: Line[] = [];
  /** Lines of earlier pictures that are in the scrollback now. */
  #lost: Line[] = [];
  #hidden = false;

  /** `colours` as BUILDKIT_COLORS has them; without `colour` there are none. */
  constructor(stream: ProgressStream, options: { colour: boolean; colours?: string | undefined }) {
    this.#stream = stream;
    this.#colours = options.colour ? lineColours(options.colours) : undefined;
  }

  /**
   * Size of the terminal at this moment; 80 by 24 where it does not say. The kernel is asked, since a picture that is
   * drawn by an outdated size leaves parts of the one before: SIGWINCH may wait behind the timer that draws, and a job
   * in the background gets none.
   */
  size(): FrameSize {
    this.#stream._refreshSize?.();
    return { columns: this.#stream.columns || 80, rows: this.#stream.rows || 24 };
  }

  /** Puts `lines` in the place of the last ones. No line may be wider than the terminal, which has this size. */
  draw(lines: readonly FrameLine[], size: FrameSize): void {
    let out = BEGIN_UPDATE;
    if (!this.#hidden) {
      out += HIDE_CURSOR;
      this.#hidden = true;
      process.once('exit', this.#onExit);
    }
    out += this.#toTop(size);
    for (const { text, style } of lines) {
      const colour = this.#colours?.[style] ?? '';
      out += `${colour}${text}${colour === '' ? '' : RESET}${ERASE_LINE_END}\n`;
    }
    this.#stream.write(`${out}${ERASE_BELOW}${END_UPDATE}`);
    this.#drawn = lines.map(({ text }) => ({ text }));
  }

  /** Leaves what is drawn and goes on below it; shows the cursor. */
  restore(): void {
    this.#drawn = [];
    this.#lost = [];
    if (!this.#hidden) return;
    this.#hidden = false;
    process.removeListener('exit', this.#onExit);
    this.#stream.write(SHOW_CURSOR);
  }

  /**
   * Back to the first line of the last picture, whose lines a terminal made narrower since has broken. Rows that have
   * left the screen for the scrollback can be reached by no program; when the terminal grows they come back, right
   * above the picture, and are overwritten then.
   */
  #toTop({ columns, rows }: FrameSize): string {
    const lines = [...this.#lost, ...this.#drawn];
    const reach = rows - 1;
    let up = 0;
    while (lines.length > 0 && up < reach) {
      const { text, only } = lines.pop()!;
      if (only !== undefined && only !== columns) continue;
      const broken = wrapText(text, columns);
      const out = Math.max(0, up + broken.length - reach);
      up += broken.length - out;
      if (out > 0) lines.push({ text: broken.slice(0, out).join(''), only: columns });
    }
    this.#lost = lines;
    return up > 0 ? `\r\x1b[${up}A` : '\r';
  }
}
