import { safeText } from '../../progress/safe-text.ts';
import { createdSince, humanSize } from './human.ts';
import { shortId } from './image-list.ts';
import type { ListKind } from './list-format.ts';

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

export interface HistoryOptions {
  human: boolean;
  noTrunc: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

const CREATED_BY_LETTERS = 45;
const MISSING = '<missing>';

/** The placeholders of `docker history --format`. */
export function historyColumns({ human, noTrunc, now }: HistoryOptions): ListKind<HistoryLine> {
  const date = human ? '{{.CreatedSince}}' : '{{.CreatedAt}}';
  return {
    typeName: '*image.historyContext',
    table: `{{.ID}}\t${date}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
    columns: [
      { name: 'ID', header: 'IMAGE', value: ({ id }) => historyId(id, noTrunc) },
      {
        name: 'CreatedSince',
        header: 'CREATED',
        value: ({ created }) => (human ? createdSince(created, now) : wholeSeconds(created)),
      },
      { name: 'CreatedAt', header: 'CREATED AT', value: ({ created }) => wholeSeconds(created) },
      {
        name: 'CreatedBy',
        header: 'CREATED BY',
        value: ({ createdBy }) => {
          const text = createdBy.replaceAll('\t', ' ');
          return safeText(noTrunc ? text : ellipsis(text, CREATED_BY_LETTERS));
        },
      },
      { name: 'Size', header: 'SIZE', value: ({ size }) => (human ? humanSize(size) : String(size)) },
      { name: 'Comment', header: 'COMMENT', value: ({ comment }) => safeText(comment) },
    ],
  };
}

/** An entry's id as the list shows it. */
export function historyId(id: string | undefined, noTrunc: boolean): string {
  if (id === undefined) return MISSING;
  return noTrunc ? id : shortId(id);
}

function ellipsis(text: string, letters: number): string {
  const all = Array.from(text);
  return all.length <= letters ? text : `${all.slice(0, letters - 1).join('')}…`;
}

function wholeSeconds(created: string): string {
  const time = Date.parse(created);
  return Number.isNaN(time) ? '' : `${new Date(time).toISOString().slice(0, 19)}Z`;
}
