/**
 * Text as Go's fmt and strconv write it: history entries and error messages of Docker contain it, and tools read
 * them.
 */

const ESCAPES: Record<string, string> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

/** Go's `%q` of a string: in double quotes, what cannot be printed escaped. */
export function goQuote(text: string): string {
  return `"${Array.from(text, (character) => (character === '"' ? '\\"' : escapeCharacter(character))).join('')}"`;
}

/** Go's `%q` of a list of strings: `["a" "b"]`. */
export function goQuoteList(list: readonly string[]): string {
  return `[${list.map(goQuote).join(' ')}]`;
}

/** Go's `%v` of a list of strings: `[a b]`. */
export function goList(list: readonly string[]): string {
  return `[${list.join(' ')}]`;
}

/** Go's `%q` of a number: the character with that code, in single quotes. */
export function goQuoteRune(code: number): string {
  const valid = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  const character = valid ? String.fromCodePoint(code) : '\ufffd';
  return `'${character === "'" ? "\\'" : escapeCharacter(character)}'`;
}

/** White space as Go's `unicode.IsSpace` has it: a no-break space is, a byte-order mark is not. */
export function isGoSpace(character: string): boolean {
  return /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/.test(character);
}

/** Go's `strconv.ParseBool`; undefined for what it refuses. */
export function parseGoBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  return undefined;
}

/** Go's `strconv.ParseUint` with a base and 32 bits; undefined for what it refuses. */
export function parseGoUint32(text: string, base: 8 | 10): number | undefined {
  if (!(base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text)) return undefined;
  const value = Number.parseInt(text, base);
  return value <= 0xffffffff ? value : undefined;
}

function escapeCharacter(character: string): string {
  const known = ESCAPES[character];
  if (known !== undefined) return known;
  if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)) return character;
  const code = character.codePointAt(0)!;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
  // A lone surrogate has no form in UTF-8, so Go never sees one.
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
  return code < 0x10000
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\U${code.toString(16).padStart(8, '0')}`;
}
