import { BuildState, type VertexState, vertexSeconds } from './build-state.ts';
import type { BuildEvent } from './events.ts';
import { failureBoxes, logTime, statusAmount, warningBlock } from './format.ts';
import type { LogLine } from './log-lines.ts';
import { safeColouredText } from './safe-text.ts';

/** A step stays in the log for this long before another running one gets its turn. */
const TURN_MS = 5000;
/** Output waiting for its turn beyond this is printed at once, so that memory stays bounded. */
const WAITING_CHARACTERS = 256 * 1024;
const STATUS_INTERVAL_MS = 5000;
const STATUS_FRACTION = 0.05;

export interface PlainOptions {
  /** The text goes to a terminal: a carriage return in a log begins a new line instead of printing over its prefix. */
  terminal: boolean;
}

/** What of a vertex is still to be printed. */
interface Waiting {
  since: number;
  lines: LogLine[];
  characters: number;
  statuses: Set<string>;
}

/**
 * The plain log, line for line as BuildKit prints it. Events are collected; `tick` prints what is due: ended
 * vertices first, then the one whose turn it is. Times come from events and from the caller, so that equal calls
 * give equal text.
 */
export class PlainPrinter {
  readonly #state = new BuildState();
  readonly #write: (text: string) => void;
  readonly #options: PlainOptions;
  readonly #waiting = new Map<VertexState, Waiting>();
  readonly #printedStatuses = new Map<string, { current: number; time: number }>();
  #characters = 0;
  #current: VertexState | undefined;
  #turnSince = 0;
  #lineOpen = false;
  #headed = false;
  #out = '';

  constructor(write: (text: string) => void, options: PlainOptions) {
    this.#write = write;
    this.#options = options;
  }

  event(event: BuildEvent): void {
    const { vertex, lines } = this.#state.apply(event);
    if (vertex === undefined || event.type === 'announced' || !('time' in event)) return;
    let waiting = this.#waiting.get(vertex);
    if (waiting === undefined) {
      waiting = { since: event.time, lines: [], characters: 0, statuses: new Set() };
      this.#waiting.set(vertex, waiting);
    }
    if (event.type === 'status') waiting.statuses.add(event.id);
    for (const line of lines) {
      waiting.lines.push(line);
      waiting.characters += line.text.length + 1;
      this.#characters += line.text.length + 1;
    }
    if (this.#characters > WAITING_CHARACTERS) this.tick(event.time);
  }

  /** Prints what is due at `now` (milliseconds since 1970). */
  tick(now: number): void {
    const ended = [...this.#waiting.keys()].filter((vertex) => vertex.outcome !== undefined);
    const current = this.#current;
    if (current !== undefined && ended.includes(current)) this.#print(current, now);
    for (const vertex of ended.sort((a, b) => a.index - b.index)) {
      if (vertex !== current) this.#print(vertex, now);
    }
    this.#printRunning(now);
    this.#flush();
  }

  /** Everything is printed, then the logs of failed steps and the warnings. */
  close(now: number): void {
    this.tick(now);
    for (const vertex of this.#waiting.keys()) this.#print(vertex, now);
    this.#endLine();
    this.#out += failureBoxes(this.#state) + warningBlock(this.#state);
    this.#flush();
  }

  #printRunning(now: number): void {
    const current = this.#current;
    if (current === undefined) {
      const next = this.#longestWaiting(true) ?? this.#state.active.values().next().value;
      if (next !== undefined) this.#print(next, now);
    } else {
      if (this.#waiting.has(current)) this.#print(current, now);
      const next = this.#longestWaiting();
      if (next !== undefined && now - this.#turnSince >= TURN_MS) this.#print(next, now);
    }
    for (const [vertex, waiting] of this.#waiting) {
      if (waiting.characters > WAITING_CHARACTERS) this.#print(vertex, now);
    }
  }

  /** `withOutput`: one that has more to say than that it has started. */
  #longestWaiting(withOutput = false): VertexState | undefined {
    let found: VertexState | undefined;
    for (const [vertex, { since, lines, statuses }] of this.#waiting) {
      if (withOutput && lines.length + statuses.size === 0) continue;
      // A report on a vertex that has not started (and has no number yet) waits until it has.
      if (vertex === this.#current || vertex.index === 0) continue;
      if (found === undefined || since < this.#waiting.get(found)!.since) found = vertex;
    }
    return found;
  }

  #print(vertex: VertexState, now: number): void {
    if (vertex.index === 0) return;
    const waiting = this.#waiting.get(vertex);
    this.#waiting.delete(vertex);
    this.#characters -= waiting?.characters ?? 0;
    if (this.#current !== vertex) {
      if (this.#current !== undefined) {
        this.#endLine();
        this.#out += `#${this.#current.index} ...\n`;
      }
      this.#out += `${this.#headed ? '\n' : ''}#${vertex.index} ${vertex.name}\n`;
      this.#headed = true;
      this.#turnSince = now;
      this.#current = vertex;
    }
    for (const id of waiting?.statuses ?? []) this.#printStatus(vertex, id);
    for (const line of waiting?.lines ?? []) this.#printLine(vertex, line);
    if (vertex.outcome !== undefined) this.#printEnd(vertex, now);
  }

  #printStatus(vertex: VertexState, id: string): void {
    const status = vertex.statuses.get(id)!;
    const key = `${vertex.index} ${id}`;
    const last = this.#printedStatuses.get(key);
    if (last !== undefined && !status.done) {
      const part = status.total ? (status.current - last.current) / status.total : 0;
      if (part < STATUS_FRACTION && status.time - last.time < STATUS_INTERVAL_MS) return;
    }
    this.#printedStatuses.set(key, { current: status.current, time: status.time });
    const seconds = (status.time - status.since) / 1000;
    const time = seconds > 0.01 ? ` ${seconds.toFixed(1)}s` : '';
    this.#endLine();
    this.#out += `#${vertex.index} ${status.id}${statusAmount(status)}${time}${status.done ? ' done' : ''}\n`;
  }

  #printLine(vertex: VertexState, line: LogLine): void {
    const prefix = `#${vertex.index} ${logTime(vertex, line)} `;
    if (!line.continues || !this.#lineOpen) {
      this.#endLine();
      this.#out += prefix;
    }
    const parts = line.text.split('\r');
    this.#out += this.#options.terminal
      ? parts
          .filter((part, index) => part !== '' || (index === 0 && parts.length === 1))
          .map(safeColouredText)
          .join(`\n${prefix}`)
      : parts.map(safeColouredText).join('\r');
    this.#lineOpen = line.open;
    if (!line.open) this.#out += '\n';
  }

  #printEnd(vertex: VertexState, now: number): void {
    this.#endLine();
    this.#out += `#${vertex.index} ${endText(vertex, now)}\n`;
    this.#current = undefined;
  }

  #endLine(): void {
    if (this.#lineOpen) this.#out += '\n';
    this.#lineOpen = false;
  }

  #flush(): void {
    if (this.#out === '') return;
    const text = this.#out;
    this.#out = '';
    this.#write(text);
  }
}

function endText(vertex: VertexState, now: number): string {
  switch (vertex.outcome) {
    case 'cached':
      return 'CACHED';
    case 'canceled':
      return 'CANCELED';
    case 'failed':
      return `ERROR: ${vertex.error ?? 'failed'}`;
    default:
      return `DONE ${vertexSeconds(vertex, now).toFixed(1)}s`;
  }
}
