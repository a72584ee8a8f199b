import type { BytePath } from '../sys/bytes.ts';

/** One place of a name: a run of any bytes, or one byte of a set (256 flags). */
type Token = 'run' | Uint8Array;

/** A path pattern in git's syntax, compiled. */
export interface Wildmatch {
  /** Whether the pattern matches the whole of a path, given as its names. */
  matches(names: readonly BytePath[]): boolean;
}

const SLASH = 0x2f;

/**
 * Compiles a pattern as git's wildmatch reads it with WM_PATHNAME (gitignore(5)): `*`, `?` and classes stay within a
 * name, `**` as a whole element stands for any number of them, at the end for at least one. It takes time in
 * proportion to pattern and path, whatever they are. Undefined for a pattern that can match nothing: an open class, a
 * backslash at the end.
 */
export function compileWildmatch(pattern: BytePath): Wildmatch | undefined {
  const elements: (Token[] | '**')[] = [];
  for (const text of splitElements(pattern)) {
    if (/^\*{2,}$/.test(text)) {
      if (elements.at(-1) !== '**') elements.push('**');
      continue;
    }
    const tokens = tokensOf(text);
    if (tokens === undefined) return undefined;
    elements.push(tokens);
  }
  // What is inside a directory, not the directory itself.
  if (elements.at(-1) === '**' && elements.length > 1) elements.push(['run']);
  return {
    matches: (names) =>
      matchRuns(elements, names, '**', (element, name) => matchName(element as Token[], name)),
  };
}

/** At slashes, those behind a backslash too, but not those in a class. */
function splitElements(pattern: BytePath): BytePath[] {
  const elements: BytePath[] = [];
  let start = 0;
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') {
      at++;
      if (pattern[at] !== '/') continue;
      const element = pattern.slice(start, at - 1);
      elements.push(element);
      // Only of a plain slash git lets `**` stand for no name at all.
      if (/^\*{2,}$/.test(element)) elements.push('*');
      start = at + 1;
    } else if (pattern[at] === '[') at = readClass(pattern, at + 1)?.end ?? pattern.length;
    else if (pattern[at] === '/') {
      elements.push(pattern.slice(start, at));
      start = at + 1;
    }
  }
  return [...elements, pattern.slice(start)];
}

function matchName(tokens: readonly Token[], name: BytePath): boolean {
  return matchRuns(
    tokens,
    { length: name.length, at: (index: number) => name.charCodeAt(index) },
    'run',
    (token, byte) => (token as Uint8Array)[byte] === 1,
  );
}

/** The usual walk with one way back: to the last run, which then takes one more. */
function matchRuns<Pattern, Item>(
  pattern: readonly Pattern[],
  items: { length: number; at(index: number): Item | undefined },
  run: Pattern,
  matches: (one: Pattern, item: Item) => boolean,
): boolean {
  let at = 0;
  let item = 0;
  let back = -1;
  let backItem = 0;
  while (item < items.length) {
    if (at < pattern.length && pattern[at] === run) {
      back = at++;
      backItem = item;
    } else if (at < pattern.length && matches(pattern[at]!, items.at(item)!)) {
      at++;
      item++;
    } else if (back >= 0) {
      at = back + 1;
      item = ++backItem;
    } else {
      return false;
    }
  }
  while (at < pattern.length && pattern[at] === run) at++;
  return at === pattern.length;
}

function tokensOf(text: BytePath): Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '*') {
      if (tokens.at(-1) !== 'run') tokens.push('run');
    } else if (char === '?') {
      tokens.push(anyByte());
    } else if (char === '[') {
      const read = readClass(text, at + 1);
      if (read === undefined) return undefined;
      tokens.push(read.set);
      at = read.end;
    } else if (char === '\\') {
      at++;
      if (at === text.length) return undefined;
      tokens.push(only(text.charCodeAt(at)));
    } else {
      tokens.push(only(text.charCodeAt(at)));
    }
  }
  return tokens;
}

function anyByte(): Uint8Array {
  return new Uint8Array(256).fill(1);
}

function only(byte: number): Uint8Array {
  const set = new Uint8Array(256);
  set[byte] = 1;
  return set;
}

/** A class from behind its `[`; `end` is the place of its `]`. A `]` in front is one of its members. */
function readClass(text: BytePath, start: number): { set: Uint8Array; end: number } | undefined {
  const set = new Uint8Array(256);
  let at = start;
  const negated = text[at] === '!' || text[at] === '^';
  if (negated) at++;
  let previous: number | undefined;
  for (let first = true; ; first = false, at++) {
    if (at >= text.length) return undefined;
    if (text[at] === ']' && !first) break;
    if (text[at] === '-' && previous !== undefined && at + 1 < text.length && text[at + 1] !== ']') {
      at++;
      if (text[at] === '\\') at++;
      if (at >= text.length) return undefined;
      for (let byte = previous; byte <= text.charCodeAt(at); byte++) set[byte] = 1;
      previous = undefined;
    } else if (text.startsWith('[:', at)) {
      const end = text.indexOf(']', at + 2);
      if (end < 0) return undefined;
      if (text[end - 1] !== ':' || end - 1 < at + 2) {
        // Not a name after all: a `[` like any other.
        set[0x5b] = 1;
        previous = 0x5b;
        continue;
      }
      const test = CLASSES[text.slice(at + 2, end - 1)];
      if (test === undefined) return undefined;
      for (let byte = 0; byte < 128; byte++) if (test.test(String.fromCharCode(byte))) set[byte] = 1;
      previous = undefined;
      at = end;
    } else {
      if (text[at] === '\\') at++;
      if (at >= text.length) return undefined;
      previous = text.charCodeAt(at);
      set[previous] = 1;
    }
  }
  if (negated) for (let byte = 0; byte < 256; byte++) set[byte] = 1 - set[byte]!;
  set[SLASH] = 0;
  return { set, end: at };
}

/** POSIX classes of the C locale. */
const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[\x00-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[\x21-\x7e]/,
  lower: /[a-z]/,
  print: /[\x20-\x7e]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t-\r ]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};
