import type { EscapeCharacter } from './ast.ts';
import { isBlank, isSpace } from './characters.ts';

/** A flag word of a logical line: its end, and its text without quotes and escapes. */
export interface FlagWord {
  end: number;
  text: string;
  /** The line's index behind the first `=`, or -1. */
  valueStart: number;
}

/** Reads the flag word at `index` (SPEC 1.3): quotes and escapes act and are removed, also inside single quotes. */
export function readFlagWord(line: string, index: number, escapeCharacter: EscapeCharacter): FlagWord {
  let at = index;
  let quote = '';
  let valueStart = -1;
  const parts: string[] = [];
  let pending = index;
  const flush = (until: number, resume: number) => {
    if (until > pending) parts.push(line.slice(pending, until));
    pending = resume;
  };
  for (; at < line.length; at++) {
    const character = line[at]!;
    if (quote === '' && isSpace(line.charCodeAt(at))) break;
    if (character === escapeCharacter) {
      flush(at, at + 1);
      at++;
    } else if (character === quote || (quote === '' && (character === '"' || character === "'"))) {
      flush(at, at + 1);
      quote = quote === '' ? character : '';
      continue;
    }
    if (valueStart === -1 && line[at] === '=') valueStart = at + 1;
  }
  const end = Math.min(at, line.length);
  flush(end, end);
  return { end, text: parts.join(''), valueStart };
}

/** The end of the plain word at `index`. */
export function plainWordEnd(line: string, index: number, end: number): number {
  let at = index;
  while (at < end && !isBlank(line.charCodeAt(at))) at++;
  return at;
}

/** A word of ENV, LABEL or ARG, and the index of its first `=`, or -1. */
export interface PairWord {
  start: number;
  end: number;
  equals: number;
}

/** Reads the word at `index`, in which quotes and escapes hide blanks but stay (SPEC 1.14 ENV). */
export function readPairWord(line: string, index: number, escapeCharacter: EscapeCharacter): PairWord {
  let at = index;
  let quote = '';
  let equals = -1;
  for (; at < line.length; at++) {
    const character = line[at]!;
    if (quote === '' && isSpace(line.charCodeAt(at))) break;
    if (character === escapeCharacter && quote !== "'") at++;
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    if (equals === -1 && line[at] === '=') equals = at;
  }
  return { start: index, end: Math.min(at, line.length), equals };
}
