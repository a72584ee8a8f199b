import { Buffer } from 'node:buffer';
import type { Clock } from '../../src/progress/clock.ts';
import type { BuildEvent } from '../../src/progress/events.ts';
import type { ProgressSink } from '../../src/progress/sink.ts';

/** Time at which every script begins. */
export const START = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A clock that a test moves; what asked to be called is called as time goes by. */
export class TestClock implements Clock {
  #now = START;
  readonly #timers = new Set<{ ms: number; next: number; call: () => void }>();

  now(): number {
    return this.#now;
  }

  every(ms: number, call: () => void): () => void {
    const timer = { ms, next: this.#now + ms, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Goes to `seconds` after the start. */
  moveTo(seconds: number): void {
    const end = START + seconds * 1000;
    for (;;) {
      const due = [...this.#timers].filter(({ next }) => next <= end).sort((a, b) => a.next - b.next)[0];
      if (due === undefined) break;
      this.#now = due.next;
      due.next += due.ms;
      due.call();
    }
    this.#now = end;
  }

  get timers(): number {
    return this.#timers.size;
  }
}

/** What happens, at how many seconds after the start. */
export type Script = readonly (readonly [seconds: number, event: BuildEvent])[];

const at = (seconds: number) => START + seconds * 1000;

export const announced = (vertex: string, name: string, inputs: string[] = []): [number, BuildEvent] => [
  0,
  { type: 'announced', vertex, name, inputs, internal: name.startsWith('[internal]') },
];

export const started = (seconds: number, vertex: string): [number, BuildEvent] => [
  seconds,
  { type: 'started', vertex, time: at(seconds) },
];

export const ended = (
  seconds: number,
  vertex: string,
  outcome: 'done' | 'cached' | 'failed' | 'canceled' = 'done',
  error?: string,
): [number, BuildEvent] => [
  seconds,
  { type: 'ended', vertex, time: at(seconds), outcome, ...(error === undefined ? {} : { error }) },
];

export const log = (seconds: number, vertex: string, data: string | Uint8Array): [number, BuildEvent] => [
  seconds,
  {
    type: 'log',
    vertex,
    stream: 'stdout',
    data: typeof data === 'string' ? Buffer.from(data) : data,
    time: at(seconds),
  },
];

export const status = (
  seconds: number,
  vertex: string,
  report: { id: string; current: number; total?: number; unit?: 'bytes' | 'items'; done?: boolean },
): [number, BuildEvent] => [
  seconds,
  { type: 'status', vertex, unit: 'bytes', done: false, ...report, time: at(seconds) },
];

/** Plays a script to a display. */
export function play(script: Script, sink: ProgressSink, clock: TestClock): void {
  for (const [seconds, event] of script) {
    clock.moveTo(Math.max(seconds, (clock.now() - START) / 1000));
    sink.event(event);
  }
}
