import { type BuildState, type StatusState, type VertexState, vertexSeconds } from './build-state.ts';
import { statusAmount } from './format.ts';
import type { LogLine } from './log-lines.ts';
import { lastOverprint, safeText } from './safe-text.ts';
import { fitText, textWidth } from './text-width.ts';

/** What the terminal allows. */
export interface FrameSize {
  columns: number;
  rows: number;
}

export interface FrameOptions {
  size: FrameSize;
  /** Milliseconds since 1970. */
  now: number;
  /** Most log lines shown under a running step. */
  logLines: number;
  /** Last frame: everything is listed, whatever the terminal's height; without logs. */
  final: boolean;
}

/** Meaning of a line's colour. */
export type LineStyle = 'plain' | 'done' | 'error' | 'canceled' | 'log';

export interface FrameLine {
  text: string;
  style: LineStyle;
}

/** More of a log line is never looked at: no terminal is wider. */
const LOG_LINE_CHARACTERS = 4096;

/**
 * The picture of a build: a header, the steps in the order in which they began, reports and the last log lines
 * under the running ones. Unless final it has fewer lines than the terminal; the oldest finished steps give way.
 */
export function frame(state: BuildState, options: FrameOptions): FrameLine[] {
  const { now, final } = options;
  // A character in the last column would leave the cursor in a state that terminals treat differently.
  const columns = Math.max(1, options.size.columns - 1);
  const seconds = Math.max(0, now - (state.firstTime ?? now)) / 1000;
  const counts = `(${state.completed}/${state.vertices.size})${final ? ' FINISHED' : ''}`;
  const header: FrameLine = {
    text: fitText(`[+] Building ${seconds.toFixed(1)}s ${counts}`, columns),
    style: final && state.failed.length === 0 ? 'done' : 'plain',
  };
  const blocks = state.shown.map((vertex) => block(vertex, now, columns));
  if (final) return [header, ...blocks.flat()];
  return [header, ...choose(state, blocks, { ...options, size: { columns, rows: options.size.rows } })];
}

/** Lines of a vertex and its reports. */
function block(vertex: VertexState, now: number, columns: number): FrameLine[] {
  const style = styleOf(vertex);
  const mark = vertex.outcome === 'cached' ? 'CACHED ' : vertex.outcome === 'failed' ? 'ERROR ' : '';
  const name = vertex.outcome === 'canceled' ? `CANCELED ${vertex.name}` : `${mark}${vertex.name}`;
  const lines = [{ text: row(` => ${name}`, vertexSeconds(vertex, now), columns), style }];
  for (const status of vertex.statuses.values()) {
    lines.push({
      text: row(` => => ${status.id}${statusAmount(status)}`, statusSeconds(status, vertex, now), columns),
      style,
    });
  }
  return lines;
}

function statusSeconds(status: StatusState, vertex: VertexState, now: number): number {
  const end = status.done ? status.time : (vertex.ended ?? now);
  return Math.max(0, end - status.since) / 1000;
}

/** Chooses what stays when the terminal is too low: running steps first, then their logs, then finished steps. */
function choose(state: BuildState, blocks: FrameLine[][], options: FrameOptions): FrameLine[] {
  // One row for the header, one for the cursor below the picture.
  const room = Math.max(1, options.size.rows - 2);
  const running = state.shown.map((vertex) => state.active.has(vertex));
  const count = running.filter(Boolean).length;
  if (count > room) {
    const kept = blocks.filter((_, index) => running[index]).slice(0, room - 1);
    const more = ` => (${count - kept.length} more steps are running)`;
    return [...kept.map((lines) => lines[0]!), { text: fitText(more, options.size.columns), style: 'plain' }];
  }
  let left = room - count;
  const talking = state.shown.filter((vertex) => state.active.has(vertex) && lastTexts(vertex, 1).length > 0);
  const share = talking.length === 0 ? 0 : Math.min(options.logLines, Math.floor(left / talking.length));
  const logs = new Map(talking.map((vertex) => [vertex, logLines(vertex, share, options.size.columns)]));
  for (const lines of logs.values()) left -= lines.length;

  const parts: FrameLine[][] = [];
  for (let index = blocks.length - 1; index >= 0; index--) {
    const [head, ...reports] = blocks[index]!;
    const vertex = state.shown[index]!;
    if (running[index]) {
      const shown = reports.slice(Math.max(0, reports.length - left));
      left -= shown.length;
      parts.unshift([head!, ...shown, ...(logs.get(vertex) ?? [])]);
    } else if (left > 0) {
      const shown = reports.slice(0, left - 1);
      left -= shown.length + 1;
      parts.unshift([head!, ...shown]);
    }
  }
  return parts.flat();
}

function logLines(vertex: VertexState, count: number, columns: number): FrameLine[] {
  return lastTexts(vertex, count).map((text) => {
    // Of a long line that is a progress bar, the end is what it shows now.
    const shown =
      text.length > LOG_LINE_CHARACTERS && text.includes('\r') ? text.slice(-LOG_LINE_CHARACTERS) : text;
    const clean = safeText(lastOverprint(shown).slice(0, LOG_LINE_CHARACTERS)).replaceAll('\t', '    ');
    return { text: fitText(` => => # ${clean}`, columns), style: 'log' as const };
  });
}

/**
 * The last lines of a log, at most `count`. One that has not ended counts: it may be a progress bar, or what a step
 * hangs at. Of a very long one only the last piece does.
 */
function lastTexts(vertex: VertexState, count: number): string[] {
  if (count <= 0) return [];
  const pending = vertex.lines.pending(LOG_LINE_CHARACTERS);
  const pieces = vertex.tail.last(pending === undefined ? count : count - 1);
  const texts = pieces
    .filter((piece, index) => {
      const next = pieces[index + 1];
      if (piece.open) return next === undefined ? pending === undefined : isBareEnd(next);
      return !isBareEnd(piece);
    })
    .map(({ text }) => text);
  return pending === undefined ? texts : [...texts, pending];
}

/** The line feed of a long line of which everything was handed on before: the piece before it is what it shows. */
function isBareEnd({ text, continues, open }: LogLine): boolean {
  return text === '' && continues && !open;
}

/** Text on the left, seconds on the right; a terminal too narrow for both shows the text. */
function row(left: string, seconds: number, columns: number): string {
  const time = `${seconds.toFixed(1)}s`;
  const room = columns - time.length - 1;
  if (room < 8) return fitText(left.replaceAll('\t', ' '), columns);
  const text = fitText(left.replaceAll('\t', ' '), room);
  return `${text}${' '.repeat(columns - textWidth(text) - time.length)}${time}`;
}

function styleOf(vertex: VertexState): LineStyle {
  switch (vertex.outcome) {
    case undefined:
      return 'plain';
    case 'failed':
      return 'error';
    case 'canceled':
      return 'canceled';
    default:
      return 'done';
  }
}
