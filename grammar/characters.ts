/**
 * White space as Docker's reader sees it: Unicode's White_Space property, which is not what JavaScript's `trim` and
 * `\s` use (they take U+FEFF and leave out U+0085). `code` is a UTF-16 unit.
 */
export function isSpace(code: number): boolean {
  if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) return true;
  if (code < 0x85) return false;
  return (
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}

/** The blanks that part the instruction word and plain words: tab, VT, FF, CR, space (SPEC L13). */
export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || (code >= 0x0b && code <= 0x0d);
}

/** The first index from `index` on (below `end`) that is not white space, or `end`. */
export function skipSpaces(text: string, index: number, end: number = text.length): number {
  let at = index;
  while (at < end && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** The end of `text` without its trailing white space, not below `start`. */
export function trimmedEnd(text: string, start: number, end: number = text.length): number {
  let at = end;
  while (at > start && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

/** `text` without white space at both ends. */
export function trimSpaces(text: string): string {
  const start = skipSpaces(text, 0);
  return text.slice(start, trimmedEnd(text, start));
}
