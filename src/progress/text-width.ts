// Blocks whose characters take two columns (Unicode's East Asian Width W and F, and emoji shown as pictures).
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x26a1, 0x26a1],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x2753, 0x2757],
  [0x2795, 0x2797],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b50],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18aff],
  [0x1b000, 0x1b2ff],
  [0x1f004, 0x1f004],
  [0x1f0cf, 0x1f0cf],
  [0x1f18e, 0x1f19a],
  [0x1f200, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f7e0, 0x1f7eb],
  [0x1f90c, 0x1faff],
  [0x20000, 0x3fffd],
];
const MARK = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const ONLY_ASCII = /^[\x20-\x7e]*$/;

/** Columns a terminal needs for printable text without escape sequences and tabs. */
export function textWidth(text: string): number {
  if (ONLY_ASCII.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** The rows that a terminal of this width breaks a line into, at least one; characters of two columns stay whole. */
export function wrapText(text: string, columns: number): string[] {
  const rows: string[] = [];
  let start = 0;
  let end = 0;
  let width = 0;
  for (const char of text) {
    const needed = charWidth(char);
    if (width + needed > columns) {
      rows.push(text.slice(start, end));
      start = end;
      width = 0;
    }
    width += needed;
    end += char.length;
  }
  return [...rows, text.slice(start)];
}

/** `text` cut to at most `columns`; what was cut is marked with `...` where that fits. Looks at no more than it shows. */
export function fitText(text: string, columns: number): string {
  if (columns <= 0) return '';
  const mark = columns > 3 ? '...' : '';
  let width = 0;
  let end = 0;
  let markedEnd = 0;
  for (const char of text) {
    width += charWidth(char);
    if (width > columns) return text.slice(0, markedEnd) + mark;
    end += char.length;
    if (width <= columns - mark.length) markedEnd = end;
  }
  return text;
}

function charWidth(char: string): number {
  const code = char.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (MARK.test(char)) return 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
