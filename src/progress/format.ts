import type { BuildState, StatusState, VertexState } from './build-state.ts';
import type { LogLine } from './log-lines.ts';
import { lastOverprint, safeColouredText, safeText } from './safe-text.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** Bytes as BuildKit shows them: `461B`, `1.98MB`. */
function progressBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${UNITS[unit]}`;
}

/** Bytes with four significant digits, as the classic builder shows its context: `3.072kB`. */
export function classicSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${UNITS[unit]}`;
}

/** ` 1.98MB / 20.97MB`, ` 3 / 7`, ` 461B`; empty when nothing has been counted. */
export function statusAmount(status: StatusState): string {
  const show = status.unit === 'bytes' ? progressBytes : String;
  if (status.total) return ` ${show(status.current)} / ${show(status.total)}`;
  return status.current ? ` ${show(status.current)}` : '';
}

/** What the builder says at the end about steps that failed: a box with the last lines of each one's log. */
export function failureBoxes(state: BuildState): string {
  return state.failed.map(failureBox).join('');
}

function failureBox(vertex: VertexState): string {
  let text = `------\n > ${vertex.name}:\n`;
  if (vertex.tail.dropped) text += '(earlier lines are left out)\n';
  let open = false;
  for (const line of vertex.tail.lines()) {
    if (open && !line.continues) text += '\n';
    text +=
      (line.continues && open ? '' : `${logTime(vertex, line)} `) +
      safeColouredText(lastOverprint(line.text));
    if (!line.open) text += '\n';
    open = line.open;
  }
  return `${text}${open ? '\n' : ''}------\n`;
}

/** Seconds since the step began, `0.123`. */
export function logTime(vertex: VertexState, line: LogLine): string {
  return (Math.max(0, line.time - (vertex.started ?? line.time)) / 1000).toFixed(3);
}

/** The block at the end that lists warnings; empty when there are none. */
export function warningBlock(state: BuildState): string {
  const { warnings } = state;
  if (warnings.length === 0) return '';
  const rows = warnings.map(({ code, message, range }) => {
    const place = range === undefined ? '' : ` (line ${range.start.line})`;
    return ` - ${safeText(code)}: ${safeText(message)}${place}\n`;
  });
  return `\n ${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'} found:\n${rows.join('')}`;
}
