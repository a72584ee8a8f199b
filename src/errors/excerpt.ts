import type { ErrorLocation } from './error.ts';
import { maskUrls } from './redact-url.ts';

const FRAME = '--------------------\n';
/** Longer lines are cut around the place: a one-line file of a megabyte is no excerpt. */
const LINE_CHARACTERS = 500;
/** Characters of two columns: East Asian scripts, full-width forms, pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\ud83c-\ud83e\ud840-\ud8bf][\udc00-\udfff]/g;

/**
 * The lines around an error as BuildKit shows them: the file and line, the lines of the place behind `>>>`, a few
 * neighbours, and, where the place is a part of one line, a row of `^` under exactly that part. Ends with a line feed.
 * Control characters in the file are shown, not sent; passwords in addresses are not shown.
 */
export function excerpt(location: ErrorLocation): string {
  const { file, text, range } = location;
  const lines = maskUrls(text).split(/\r?\n/);
  const first = clamp(range.start.line, lines.length);
  // A range that ends before the first character of a line does not cover that line.
  const last = Math.max(
    first,
    clamp(range.end.column <= 1 ? range.end.line - 1 : range.end.line, lines.length),
  );
  const [from, to] = neighbours(first, last, lines.length);
  let out = `${printable(file)}:${first}\n${FRAME}`;
  for (let number = from; number <= to; number++) {
    const marked = number >= first && number <= last;
    const line = lines[number - 1]!;
    const start = marked && number === first ? range.start.column - 1 : 0;
    const cut = Math.max(0, Math.min(start - LINE_CHARACTERS / 2, line.length - LINE_CHARACTERS));
    const shown = line.slice(cut, cut + LINE_CHARACTERS);
    out += ` ${String(number).padStart(3)} | ${marked ? '>>> ' : '    '}${printable(shown)}\n`;
    if (first !== last || number !== first) continue;
    out += marker(line, { start, end: range.end.line > last ? line.length : range.end.column - 1, cut });
  }
  return out + FRAME;
}

/** Line numbers to show: at least four beside a single line, two beside several, as far as the file goes. */
function neighbours(first: number, last: number, count: number): [number, number] {
  const wanted = first === last ? 4 : 2;
  let from = first;
  let to = last;
  for (let shown = 0; shown < wanted; shown++) {
    if (from > 1) {
      from--;
      shown++;
    }
    if (to < count) {
      to++;
      shown++;
    }
  }
  return [from, to];
}

function marker(line: string, place: { start: number; end: number; cut: number }): string {
  const start = Math.min(place.start, line.length);
  const end = Math.max(start + 1, Math.min(place.end, line.length));
  const whole = line.length - line.trimStart().length >= start && end >= line.trimEnd().length;
  if (whole) return '';
  const before = printable(line.slice(place.cut, start)).replace(WIDE, '  ').replace(/[^\t]/g, ' ');
  const marked = printable(line.slice(start, Math.min(end, place.cut + LINE_CHARACTERS)));
  const width = Math.max(1, marked.replace(WIDE, '  ').length);
  return `     |     ${before}${'^'.repeat(width)}\n`;
}

function printable(text: string): string {
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0);
    if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
    return code === 0x7f ? '^?' : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}

function clamp(line: number, count: number): number {
  return Math.max(1, Math.min(line, count));
}
