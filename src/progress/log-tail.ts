import type { LogLine } from './log-lines.ts';

/** The end of a step's log, at most about `limit` characters, for when the step fails. */
export class LogTail {
  readonly #limit: number;
  #lines: LogLine[] = [];
  #first = 0;
  #size = 0;
  #dropped = false;

  constructor(limit: number = 256 * 1024) {
    this.#limit = limit;
  }

  push(line: LogLine): void {
    this.#lines.push(line);
    this.#size += line.text.length + 1;
    while (this.#size > this.#limit && this.#first < this.#lines.length - 1) {
      this.#size -= this.#lines[this.#first]!.text.length + 1;
      this.#first++;
      this.#dropped = true;
    }
    if (this.#first > 1024 && this.#first * 2 > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
  }

  /** True when earlier lines are not kept any more. */
  get dropped(): boolean {
    return this.#dropped;
  }

  lines(): readonly LogLine[] {
    return this.#lines.slice(this.#first);
  }

  /** The last `count` lines or pieces. */
  last(count: number): readonly LogLine[] {
    return count <= 0 ? [] : this.#lines.slice(Math.max(this.#first, this.#lines.length - count));
  }

  clear(): void {
    this.#lines = [];
    this.#first = 0;
    this.#size = 0;
  }
}
