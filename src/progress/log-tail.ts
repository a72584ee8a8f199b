import type { LogLine } from './log-lines.ts';

/** Shorter lines are dropped as a whole. */
const LONG_LINE = 4096;

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
    while (this.#size > this.#limit) this.#dropOldest();
    if (this.#first > 1024 && this.#first * 2 > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
  }

  #dropOldest(): void {
    this.#dropped = true;
    const oldest = this.#lines[this.#first]!;
    const excess = this.#size - this.#limit;
    if (oldest.text.length > LONG_LINE && excess < oldest.text.length) {
      // Its end is worth more than nothing.
      this.#lines[this.#first] = { ...oldest, text: oldest.text.slice(excess) };
      this.#size -= excess;
      return;
    }
    this.#size -= oldest.text.length + 1;
    this.#first++;
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
