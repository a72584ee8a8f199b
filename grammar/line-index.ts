import type { SourcePosition, SourceRange } from '../src/errors/index.ts';

/** Turns offsets of one text into lines and columns. Lines end at LF alone, as in Docker. */
export class LineIndex {
  readonly #starts: number[] = [0];
  readonly #length: number;
  #last = 0;

  constructor(text: string) {
    this.#length = text.length;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1);
  }

  /** The position of an offset; offsets beyond the text are taken as its end. */
  position(offset: number): SourcePosition {
    const at = Math.min(offset, this.#length);
    const line = this.#lineOf(at);
    return { offset: at, line: line + 1, column: at - this.#starts[line]! + 1 };
  }

  range(start: number, end: number): SourceRange {
    return { start: this.position(start), end: this.position(end) };
  }

  #lineOf(offset: number): number {
    const starts = this.#starts;
    // Questions come mostly in order: look at the last answer and its successor before searching.
    for (let line = this.#last; line < this.#last + 2 && line < starts.length; line++) {
      if (starts[line]! <= offset && (line + 1 === starts.length || offset < starts[line + 1]!)) {
        this.#last = line;
        return line;
      }
    }
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    this.#last = low;
    return low;
  }
}
