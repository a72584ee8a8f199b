/**
 * The patterns of `${name#pattern}` and its relatives (SPEC 1.5 X11 to X14): `*`, `?`, backslash escapes, nothing
 * else. Matching is a simulation over all states at once, so no pattern takes more than pattern × text steps.
 * As in Go's regular expressions, on which Docker builds, a wildcard does not match a line feed.
 */
export interface Pattern {
  tokens: PatternToken[];
}

type PatternToken = { kind: 'literal'; character: string } | { kind: 'any' } | { kind: 'star' };

/** Half-open range of code points. */
export interface PatternMatch {
  start: number;
  end: number;
}

/** Reads a pattern. Returns the text of the error when an escape is not allowed. */
export function parsePattern(text: string): Pattern | { error: string } {
  const characters = Array.from(text);
  const tokens: PatternToken[] = [];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === '*') tokens.push({ kind: 'star' });
    else if (character === '?') tokens.push({ kind: 'any' });
    else if (character !== '\\') tokens.push({ kind: 'literal', character });
    else {
      const next = characters[++i];
      // `\}` and `\/` protect the delimiters of the substitution, the others the characters of the pattern.
      if (next === undefined || !'*?\\}/'.includes(next)) {
        return { error: `invalid escape '\\${next ?? '\ufffd'}'` };
      }
      tokens.push({ kind: 'literal', character: next });
    }
  }
  return { tokens };
}

/** The pattern that matches the reverse of what `pattern` matches. */
export function reversePattern(pattern: Pattern): Pattern {
  return { tokens: pattern.tokens.toReversed() };
}

/** Length of the shortest or longest match at the start of `text`; undefined for none. */
export function matchPrefix(pattern: Pattern, text: readonly string[], longest: boolean): number | undefined {
  return matchAt(pattern, text, 0, longest);
}

/** The leftmost match at or behind `from`, as long as it can be. `starts` comes from `matchStarts`. */
export function findMatch(
  pattern: Pattern,
  text: readonly string[],
  from: number,
  starts: Uint8Array,
): PatternMatch | undefined {
  for (let start = from; start <= text.length; start++) {
    if (starts[start] === 1) return { start, end: matchAt(pattern, text, start, true)! };
  }
  return undefined;
}

/** Marks with 1 each position of `text` (its end included) at which a match begins. */
export function matchStarts(pattern: Pattern, text: readonly string[]): Uint8Array {
  const { tokens } = pattern;
  const starts = new Uint8Array(text.length + 1);
  // state[j] says whether tokens from j on match from the current position; filled from the end of the text.
  let next = new Uint8Array(tokens.length + 1);
  for (let position = text.length; position >= 0; position--) {
    const state = new Uint8Array(tokens.length + 1);
    state[tokens.length] = 1;
    const character = text[position];
    for (let j = tokens.length - 1; j >= 0; j--) {
      const token = tokens[j]!;
      if (token.kind === 'star') {
        state[j] = state[j + 1] === 1 || (wild(character) && next[j] === 1) ? 1 : 0;
      } else {
        state[j] = accepts(token, character) && next[j + 1] === 1 ? 1 : 0;
      }
    }
    starts[position] = state[0]!;
    next = state;
  }
  return starts;
}

function matchAt(
  { tokens }: Pattern,
  text: readonly string[],
  start: number,
  longest: boolean,
): number | undefined {
  let state = new Uint8Array(tokens.length + 1);
  state[0] = 1;
  let found: number | undefined;
  for (let position = start; ; position++) {
    let alive = false;
    for (let j = 0; j < tokens.length; j++) {
      if (state[j] === 1 && tokens[j]!.kind === 'star') state[j + 1] = 1;
    }
    if (state[tokens.length] === 1) {
      found = position;
      if (!longest) return found;
    }
    if (position >= text.length) return found;
    const character = text[position];
    const after = new Uint8Array(tokens.length + 1);
    for (let j = 0; j < tokens.length; j++) {
      if (state[j] !== 1) continue;
      const token = tokens[j]!;
      const target =
        token.kind === 'star' ? (wild(character) ? j : -1) : accepts(token, character) ? j + 1 : -1;
      if (target >= 0) {
        after[target] = 1;
        alive = true;
      }
    }
    if (!alive) return found;
    state = after;
  }
}

function wild(character: string | undefined): boolean {
  return character !== undefined && character !== '\n';
}

function accepts(token: PatternToken, character: string | undefined): boolean {
  return token.kind === 'literal' ? token.character === character : wild(character);
}
