import { safeText } from '../../progress/safe-text.ts';
import { createdSince, humanSize } from './human.ts';
import { shortId } from './image-list.ts';
import { renderTable } from './table.ts';

/** A line of an image's history, newest first. */
export interface HistoryLine {
  /** Undefined for entries whose image is not known. */
  id: string | undefined;
  /** RFC 3339. */
  created: string;
  createdBy: string;
  /** Bytes. */
  size: number;
  comment: string;
}

export interface HistoryListOptions {
  human: boolean;
  noTrunc: boolean;
  quiet: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

const CREATED_BY_LETTERS = 45;
const MISSING = '<missing>';

/** The table of `docker history`, or with `quiet` its ids. */
export function renderHistory(lines: readonly HistoryLine[], options: HistoryListOptions): string {
  const { human, noTrunc, quiet, now } = options;
  const id = (line: HistoryLine) => (line.id === undefined ? MISSING : noTrunc ? line.id : shortId(line.id));
  if (quiet) return lines.map((line) => `${id(line)}\n`).join('');
  const rows = lines.map((line) => {
    const createdBy = line.createdBy.replaceAll('\t', ' ');
    return [
      id(line),
      human ? createdSince(line.created, now) : wholeSeconds(line.created),
      safeText(noTrunc ? createdBy : ellipsis(createdBy, CREATED_BY_LETTERS)),
      human ? humanSize(line.size) : String(line.size),
      safeText(line.comment),
    ];
  });
  return renderTable(['IMAGE', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'], rows);
}

function ellipsis(text: string, letters: number): string {
  const all = Array.from(text);
  return all.length <= letters ? text : `${all.slice(0, letters - 1).join('')}…`;
}

function wholeSeconds(created: string): string {
  const time = Date.parse(created);
  return Number.isNaN(time) ? '' : `${new Date(time).toISOString().slice(0, 19)}Z`;
}
