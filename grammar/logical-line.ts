import type { EscapeCharacter } from './ast.ts';
import { skipSpaces, trimmedEnd } from './characters.ts';

/** A piece of source text by offsets; `end` is exclusive. */
export interface Span {
  start: number;
  end: number;
}

/**
 * One instruction's physical lines joined to one text, trimmed at its end. Index 0 of `text` is the first character
 * behind the leading white space of the first line; continuation lines keep theirs (SPEC L4).
 */
export interface LogicalLine {
  text: string;
  /** The white space trimmed from its end. */
  tail: string;
  /** Ascending: `text` from `index` on lies at `offset` in the source, up to the next piece. */
  pieces: { index: number; offset: number }[];
  /** Where the source goes on behind the line and its last line break. */
  next: number;
  comments: Span[];
  emptyLines: Span[];
}

/**
 * Joins the physical lines that begin at `start` (behind leading white space). The escape character as last
 * non-blank continues a line unless another one stands before it; comments and blank lines between are left out
 * (SPEC L6 to L9).
 */
export function readLogicalLine(
  source: string,
  start: number,
  escapeCharacter: EscapeCharacter,
): LogicalLine {
  const parts: string[] = [];
  const line: LogicalLine = { text: '', tail: '', pieces: [], next: start, comments: [], emptyLines: [] };
  let index = 0;
  let at = start;
  for (;;) {
    const physical = physicalLine(source, at);
    const first = skipSpaces(source, at, physical.end);
    const continuing = at !== start;
    if (continuing && source[first] === '#' && first < physical.end) {
      line.comments.push({ start: first, end: physical.end });
    } else if (continuing && first === physical.end) {
      line.emptyLines.push({ start: at, end: physical.end });
    } else {
      const end = continuationStart(source, at, physical.end, escapeCharacter);
      const contentEnd = end ?? physical.end;
      if (contentEnd > at) line.pieces.push({ index, offset: at });
      parts.push(source.slice(at, contentEnd));
      index += contentEnd - at;
      if (end === undefined) {
        line.next = physical.next;
        break;
      }
    }
    at = physical.next;
    if (at >= source.length) {
      line.next = source.length;
      break;
    }
  }
  const joined = parts.join('');
  const end = trimmedEnd(joined, 0);
  line.text = joined.slice(0, end);
  line.tail = joined.slice(end);
  return line;
}

/** A line's end without its CR and LF characters, and the start of the next line. */
export function physicalLine(source: string, start: number): { end: number; next: number } {
  const newline = source.indexOf('\n', start);
  const next = newline === -1 ? source.length : newline + 1;
  let end = newline === -1 ? source.length : newline;
  while (end > start && source.charCodeAt(end - 1) === 0x0d) end--;
  return { end, next };
}

/** Where the continuation character of a physical line stands; undefined when the line is not continued. */
function continuationStart(
  source: string,
  start: number,
  end: number,
  escapeCharacter: EscapeCharacter,
): number | undefined {
  let at = end;
  while (at > start && (source[at - 1] === ' ' || source[at - 1] === '\t')) at--;
  at--;
  if (at < start || source[at] !== escapeCharacter) return undefined;
  return at > start && source[at - 1] === escapeCharacter ? undefined : at;
}

/** The source offset of `text[index]`; for an index at the end of the text, the offset behind its last character. */
export function offsetAt(line: LogicalLine, index: number): number {
  const { pieces } = line;
  if (pieces.length === 0) return line.next;
  const at = index >= line.text.length && index > 0 ? line.text.length - 1 : index;
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pieces[middle]!.index <= at) low = middle;
    else high = middle - 1;
  }
  const piece = pieces[low]!;
  return piece.offset + (index - piece.index);
}

/** The source offset behind `text[index - 1]`: the end of a word, which does not run on over a continuation. */
export function offsetBehind(line: LogicalLine, index: number): number {
  return index === 0 ? offsetAt(line, 0) : offsetAt(line, index - 1) + 1;
}
