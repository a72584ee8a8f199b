import { KEYWORDS, type Token, type TokenKind } from './tokens.ts';

const LEFT = '{{';
const RIGHT = '}}';
const SPACE = /[ \t\r\n]/;
const LETTER = /[\p{L}\p{Nd}_]/u;

/**
 * Splits a template of Go's text/template into tokens, with trim markers (`{{- `, ` -}}`) already applied to the text
 * beside them and comments left out. The last token is `end` or `error`.
 */
export function lex(input: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let trimNext = false;
  while (position <= input.length) {
    const start = input.indexOf(LEFT, position);
    const end = start === -1 ? input.length : start;
    const trimsLeft = start !== -1 && hasLeftMarker(input, start + LEFT.length);
    let text = input.slice(position, end);
    let offset = position;
    if (trimNext) {
      const kept = text.replace(/^[ \t\r\n]+/, '');
      offset += text.length - kept.length;
      text = kept;
    }
    if (trimsLeft) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push(token('text', text, offset, input));
    if (start === -1) {
      tokens.push(token('end', '', input.length, input));
      return tokens;
    }
    const inside = start + LEFT.length + (trimsLeft ? 2 : 0);
    const comment = lexComment(input, inside);
    if (comment !== undefined) {
      if ('problem' in comment) {
        tokens.push(token('error', comment.problem, inside, input));
        return tokens;
      }
      trimNext = comment.trims;
      position = comment.end;
      continue;
    }
    tokens.push(token('left', LEFT, start, input));
    const action = lexAction(input, inside, tokens);
    if (action === undefined) return tokens;
    trimNext = action.trims;
    position = action.end;
  }
  return tokens;
}

/** A `-` is a trim marker only with a blank between it and the action. */
function hasLeftMarker(input: string, at: number): boolean {
  return input[at] === '-' && SPACE.test(input[at + 1] ?? '');
}

function rightMarker(input: string, at: number): { end: number; trims: boolean } | undefined {
  if (input.startsWith(RIGHT, at)) return { end: at + RIGHT.length, trims: false };
  if (SPACE.test(input[at] ?? '') && input.startsWith(`-${RIGHT}`, at + 1)) {
    return { end: at + 2 + RIGHT.length, trims: true };
  }
  return undefined;
}

function lexComment(
  input: string,
  at: number,
): { end: number; trims: boolean } | { problem: string } | undefined {
  if (!input.startsWith('/*', at)) return undefined;
  const close = input.indexOf('*/', at);
  if (close === -1) return { problem: 'unclosed comment' };
  return rightMarker(input, close + 2) ?? { problem: 'comment ends before closing delimiter' };
}

/** Appends the tokens of one action; undefined when it ended in an error, which is the last token then. */
function lexAction(
  input: string,
  begin: number,
  tokens: Token[],
): { end: number; trims: boolean } | undefined {
  let at = begin;
  let depth = 0;
  const add = (kind: TokenKind, end: number): void => {
    tokens.push(token(kind, input.slice(at, end), at, input));
    at = end;
  };
  const fail = (problem: string): undefined => {
    tokens.push(token('error', problem, at, input));
    return undefined;
  };
  for (;;) {
    const marker = rightMarker(input, at);
    if (marker !== undefined) {
      if (depth > 0) return fail('unclosed left paren');
      if (marker.trims) at++;
      add('right', marker.end);
      return marker;
    }
    const character = codePointAt(input, at);
    const next = input[at + 1] ?? '';
    if (character === '') return fail('unclosed action');
    if (SPACE.test(character)) {
      let end = at + 1;
      while (SPACE.test(input[end] ?? '')) end++;
      // The last blank before `-}}` belongs to the marker.
      if (rightMarker(input, end - 1)?.trims === true) end--;
      if (end > at) add('space', end);
    } else if (character === '=') add('assign', at + 1);
    else if (character === ':') {
      if (next !== '=') return fail('expected :=');
      add('declare', at + 2);
    } else if (character === '|') add('pipe', at + 1);
    else if (character === '"' || character === "'") {
      const end = endOfQuote(input, at);
      const kind = character === '"' ? 'string' : 'char';
      if (end === undefined)
        return fail(kind === 'string' ? 'unterminated quoted string' : 'unterminated character constant');
      add(kind, end);
    } else if (character === '`') {
      const end = input.indexOf('`', at + 1);
      if (end === -1) return fail('unterminated raw quoted string');
      add('raw-string', end + 1);
    } else if (character === '$' || (character === '.' && !/[0-9]/.test(next))) {
      const end = endOfWord(input, at + 1);
      const kind = character === '$' ? 'variable' : end === at + 1 ? 'dot' : 'field';
      if (!endsWord(input, end)) return fail(`bad character ${unicodeName(codePointAt(input, end))}`);
      add(kind, end);
    } else if (/[+\-0-9.]/.test(character)) {
      const end = endOfNumber(input, at);
      const after = codePointAt(input, end);
      if (after !== '' && LETTER.test(after)) {
        return fail(`bad number syntax: ${JSON.stringify(input.slice(at, end) + after)}`);
      }
      add('number', end);
    } else if (LETTER.test(character)) {
      const end = endOfWord(input, at);
      const word = input.slice(at, end);
      if (!endsWord(input, end)) return fail(`bad character ${unicodeName(codePointAt(input, end))}`);
      add(wordKind(word), end);
    } else if (character === '(') {
      depth++;
      add('open', at + 1);
    } else if (character === ')') {
      if (--depth < 0) return fail('unexpected right paren');
      add('close', at + 1);
    } else if (character === ',') add('comma', at + 1);
    else if (/^[\x21-\x7e]$/.test(character)) add('character', at + 1);
    else return fail(`unrecognized character in action: ${unicodeName(character)}`);
  }
}

function wordKind(word: string): TokenKind {
  if (KEYWORDS.has(word)) return 'keyword';
  if (word === 'true' || word === 'false') return 'bool';
  return word === 'nil' ? 'nil' : 'identifier';
}

function codePointAt(input: string, at: number): string {
  const point = input.codePointAt(at);
  return point === undefined ? '' : String.fromCodePoint(point);
}

function endOfWord(input: string, from: number): number {
  let end = from;
  for (let letter = codePointAt(input, end); letter !== '' && LETTER.test(letter); ) {
    end += letter.length;
    letter = codePointAt(input, end);
  }
  return end;
}

/** What may follow a word directly. */
function endsWord(input: string, at: number): boolean {
  return input.startsWith(RIGHT, at) || /^(?:$|[ \t\r\n.,|:()=])/.test(input.slice(at, at + 1));
}

function endOfQuote(input: string, from: number): number | undefined {
  const quote = input[from];
  for (let at = from + 1; at < input.length; at++) {
    const character = input[at];
    if (character === '\\') at++;
    else if (character === '\n') return undefined;
    else if (character === quote) return at + 1;
  }
  return undefined;
}

function endOfNumber(input: string, from: number): number {
  const number =
    /^[+-]?(0[xX][0-9a-fA-F_]*(\.[0-9a-fA-F_]*)?([pP][+-]?[0-9_]*)?|0[bB][01_]*|0[oO][0-7_]*|[0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9_]*)?)i?/;
  return from + (number.exec(input.slice(from, from + 200))?.[0].length ?? 0);
}

/** Go's `%#U`: `U+007D '}'`. */
function unicodeName(character: string): string {
  const point = character.codePointAt(0) ?? -1;
  if (point < 0) return 'EOF';
  const hex = point.toString(16).toUpperCase().padStart(4, '0');
  return point < 0x20 || point === 0x7f ? `U+${hex}` : `U+${hex} '${character}'`;
}

function token(kind: TokenKind, text: string, offset: number, input: string): Token {
  let line = 1;
  for (let at = input.indexOf('\n'); at !== -1 && at < offset; at = input.indexOf('\n', at + 1)) line++;
  return { kind, text, offset, line };
}
