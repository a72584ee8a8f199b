import type { BuildEvent, BuildWarned, VertexEnded, VertexStatus } from './events.ts';
import { type LogLine, LogLines } from './log-lines.ts';
import { LogTail } from './log-tail.ts';
import { safeText } from './safe-text.ts';

/** Progress inside a vertex with the time of its first report. */
export interface StatusState extends VertexStatus {
  since: number;
}

/** What is known of a vertex. */
export interface VertexState {
  id: string;
  /** Safe to print. */
  name: string;
  internal: boolean;
  /** Number under which displays show it, given when it starts; 0 before. */
  index: number;
  started: number | undefined;
  ended: number | undefined;
  outcome: VertexEnded['outcome'] | undefined;
  /** Safe to print but for line feeds. */
  error: string | undefined;
  statuses: Map<string, StatusState>;
  tail: LogTail;
  lines: LogLines;
}

/** What an event changed. */
export interface Change {
  vertex: VertexState | undefined;
  /** Complete lines (or pieces of long ones) that came with it. */
  lines: LogLine[];
}

/** The state of a build as its events tell it; what the displays draw from. */
export class BuildState {
  /** In the order in which they were announced. */
  readonly vertices = new Map<string, VertexState>();
  /** In the order in which they started or were found in the cache. */
  readonly shown: VertexState[] = [];
  readonly warnings: BuildWarned[] = [];
  readonly failed: VertexState[] = [];
  /** Started and not ended. */
  readonly active = new Set<VertexState>();
  completed = 0;
  /** Time of the first event that has one. */
  firstTime: number | undefined;

  apply(event: BuildEvent): Change {
    if ('time' in event) this.firstTime ??= event.time;
    if (event.type === 'warning') {
      this.warnings.push(event);
      return { vertex: undefined, lines: [] };
    }
    // Only the classic display shows lines that are no steps.
    if (event.type === 'outlined' || event.type === 'imaged') return { vertex: undefined, lines: [] };
    const vertex = this.#vertex(event.vertex);
    const lines: LogLine[] = [];
    switch (event.type) {
      case 'announced':
        vertex.name = safeText(event.name);
        vertex.internal = event.internal;
        break;
      case 'started':
        if (vertex.outcome !== undefined) this.#reopen(vertex);
        vertex.started ??= event.time;
        this.#show(vertex);
        this.active.add(vertex);
        break;
      case 'status': {
        const since = vertex.statuses.get(event.id)?.since ?? event.time;
        vertex.statuses.set(event.id, { ...event, id: safeText(event.id), since });
        break;
      }
      case 'log':
        for (const line of vertex.lines.push(event.data, event.time)) lines.push(line);
        break;
      case 'ended':
        lines.push(...vertex.lines.flush());
        this.#end(vertex, event);
    }
    for (const line of lines) vertex.tail.push(line);
    // Only a failure's log is shown again; the displays have had the rest.
    if (vertex.outcome !== undefined && vertex.outcome !== 'failed') vertex.tail.clear();
    return { vertex, lines };
  }

  #end(vertex: VertexState, event: VertexEnded): void {
    if (vertex.outcome !== undefined) return;
    vertex.ended = event.time;
    vertex.outcome = event.outcome;
    vertex.error = event.error?.split('\n').map(safeText).join('\n');
    this.#show(vertex);
    this.active.delete(vertex);
    this.completed++;
    if (event.outcome === 'failed') this.failed.push(vertex);
  }

  /** What counted as done has to be done after all: a base is fetched, a cached result cannot be had. */
  #reopen(vertex: VertexState): void {
    if (vertex.outcome === 'failed') this.failed.splice(this.failed.indexOf(vertex), 1);
    vertex.outcome = undefined;
    vertex.started = undefined;
    vertex.ended = undefined;
    vertex.error = undefined;
    this.completed--;
  }

  #show(vertex: VertexState): void {
    if (vertex.index > 0) return;
    this.shown.push(vertex);
    vertex.index = this.shown.length;
  }

  #vertex(id: string): VertexState {
    let vertex = this.vertices.get(id);
    if (vertex === undefined) {
      vertex = {
        id,
        name: safeText(id),
        internal: true,
        index: 0,
        started: undefined,
        ended: undefined,
        outcome: undefined,
        error: undefined,
        statuses: new Map(),
        tail: new LogTail(),
        lines: new LogLines(),
      };
      this.vertices.set(id, vertex);
    }
    return vertex;
  }
}

/** Seconds from its start to its end, or to `now`. */
export function vertexSeconds(vertex: VertexState, now: number): number {
  if (vertex.started === undefined) return 0;
  return Math.max(0, (vertex.ended ?? now) - vertex.started) / 1000;
}
