import type { BytePath } from '../sys/bytes.ts';

/** One piece of a pattern element: a literal character, `?`, `*`, or a class. */
export type GlobToken =
  | { kind: 'literal'; text: string }
  | { kind: 'any' }
  | { kind: 'star' }
  | { kind: 'class'; negated: boolean; ranges: [low: string, high: string][] };

/** True for a source or one element of it that has `*`, `?` or `[` outside an escape (`\\*`). */
export function hasWildcards(value: BytePath): boolean {
  for (let at = 0; at < value.length; at++) {
    const c = value[at];
    if (c === '\\') at++;
    else if (c === '*' || c === '?' || c === '[') return true;
  }
  return false;
}

/**
 * Reads a pattern by the rules of Go's `filepath.Match`: `*`, `?`, `[a-z]`, `[^a]`, `\x`. `!` has no meaning in a
 * class, `]` and `-` must be escaped there, and a class is never empty.
 *
 * @returns undefined where Go reports "syntax error in pattern"
 */
export function parseGlob(pattern: string): GlobToken[] | undefined {
  const input = [...pattern];
  const tokens: GlobToken[] = [];
  for (let at = 0; at < input.length; ) {
    const c = input[at]!;
    if (c === '[') {
      const parsed = parseClass(input, at + 1);
      if (parsed === undefined) return undefined;
      tokens.push(parsed.token);
      at = parsed.next;
      continue;
    }
    if (c === '*') tokens.push({ kind: 'star' });
    else if (c === '?') tokens.push({ kind: 'any' });
    else if (c !== '\\') tokens.push({ kind: 'literal', text: c });
    else {
      at++;
      if (at >= input.length) return undefined;
      tokens.push({ kind: 'literal', text: input[at]! });
    }
    at++;
  }
  return tokens;
}

function parseClass(input: string[], start: number): { token: GlobToken; next: number } | undefined {
  let at = start;
  const negated = input[at] === '^';
  if (negated) at++;
  const ranges: [string, string][] = [];
  const member = (): string | undefined => {
    if (input[at] === '\\') at++;
    else if (input[at] === '-' || input[at] === ']') return undefined;
    const c = input[at++];
    // The class must go on after its member: Go looks for the closing bracket.
    return at < input.length && c !== '\ufffd' ? c : undefined;
  };
  while (!(input[at] === ']' && ranges.length > 0)) {
    const low = member();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (input[at] === '-') {
      at++;
      high = member();
      if (high === undefined) return undefined;
    }
    ranges.push([low, high]);
  }
  return { token: { kind: 'class', negated, ranges }, next: at + 1 };
}
