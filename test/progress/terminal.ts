import { textWidth } from '../../src/progress/text-width.ts';

interface Row {
  /** Characters; after one of two columns an empty cell. */
  cells: string[];
  /** The next row goes on with the same line. */
  wrapped: boolean;
}

/**
 * As much of a terminal as the live view needs: lines that wrap, cursor up, erasing, a scrollback, reflow when the
 * width changes. Throws at everything else, so that nothing unexpected is ever sent.
 */
export class Terminal {
  columns: number;
  rows: number;
  readonly isTTY = true;
  cursorShown = true;
  updating = false;
  /** Scrollback and screen, row by row. */
  #lines: Row[] = [{ cells: [], wrapped: false }];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    const pattern = /\x1b\[(\??[0-9;]*)([A-Za-z])|[\s\S]/gu;
    for (const [token, parameters, command] of text.matchAll(pattern)) {
      if (command !== undefined) this.#command(parameters!, command);
      else if (token === '\n') this.#newLine();
      else if (token === '\r') this.#column = 0;
      else this.#put(token);
    }
  }

  /** All rows from the first to the last with text, scrollback included. */
  text(): string {
    return textOf(this.#lines);
  }

  /** What can be seen now: the rows of the screen. */
  screen(): string {
    return textOf(this.#lines.slice(Math.max(0, this.#lines.length - this.rows)));
  }

  resize(columns: number, rows: number): void {
    const reflowed: Row[] = [];
    let row = 0;
    let line: string[] = [];
    this.#lines.forEach(({ cells, wrapped }, index) => {
      line.push(...cells);
      if (index === this.#row) row = reflowed.length;
      if (wrapped) return;
      let from = 0;
      do {
        // A character of two cells is not divided.
        const to = from + columns - (line[from + columns] === '' ? 1 : 0);
        reflowed.push({ cells: line.slice(from, to), wrapped: to < line.length });
        from = to;
      } while (from < line.length);
      line = [];
    });
    this.#lines = reflowed;
    this.#row = row;
    this.columns = columns;
    this.rows = rows;
  }

  #put(char: string): void {
    if (/[\x00-\x1f\x7f-\x9f]/.test(char)) throw new Error(`control character ${JSON.stringify(char)}`);
    const width = textWidth(char);
    if (this.#column + width > this.columns) {
      this.#lines[this.#row]!.wrapped = true;
      this.#newLine();
    }
    const line = this.#lines[this.#row]!.cells;
    while (line.length < this.#column) line.push(' ');
    line[this.#column] = char;
    // The second cell of a wide character.
    if (width === 2) line[this.#column + 1] = '';
    this.#column += width;
  }

  #newLine(): void {
    this.#row++;
    this.#column = 0;
    if (this.#row === this.#lines.length) this.#lines.push({ cells: [], wrapped: false });
  }

  #command(parameters: string, command: string): void {
    const row = this.#lines[this.#row]!;
    const line = row.cells;
    switch (`${parameters.startsWith('?') ? parameters : ''}${command}`) {
      case 'A': {
        const top = Math.max(0, this.#lines.length - this.rows);
        this.#row = Math.max(top, this.#row - Number(parameters));
        return;
      }
      case 'B':
        this.#row = Math.min(this.#lines.length - 1, this.#row + Number(parameters));
        return;
      case 'K':
        row.wrapped = false;
        line.length = parameters === '2' ? 0 : Math.min(line.length, this.#column);
        return;
      case 'J':
        row.wrapped = false;
        line.length = Math.min(line.length, this.#column);
        this.#lines.length = this.#row + 1;
        return;
      case 'm':
        return;
      case '?25l':
        this.cursorShown = false;
        return;
      case '?25h':
        this.cursorShown = true;
        return;
      case '?2026h':
        this.updating = true;
        return;
      case '?2026l':
        this.updating = false;
        return;
      default:
        throw new Error(`escape sequence ESC [ ${parameters} ${command}`);
    }
  }
}

function textOf(rows: readonly Row[]): string {
  return rows
    .map(({ cells }) => cells.join('').trimEnd())
    .join('\n')
    .trimEnd();
}
