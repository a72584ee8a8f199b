import {
  findMatch,
  matchPrefix,
  matchStarts,
  type Pattern,
  parsePattern,
  reversePattern,
} from './pattern.ts';

/** A `${name<modifier>word}` whose parts are read and expanded. */
export interface Substitution {
  name: string;
  /** `-`, `:-`, `+`, `:+`, `?`, `:?`, `#`, `%` (doubled: the word begins with it), `/`, `//`. */
  modifier: string;
  /** What stands behind the modifier: a default, a message, or a pattern with its escapes. */
  word: string;
  /** The variable's value, undefined when unset. */
  current: string | undefined;
  /** Of `/` and `//`. */
  replacement?: string;
}

/** Steps of a single match, pattern times value: a fraction of a second. */
const MAX_PATTERN_STEPS = 30_000_000;

/** Applies a substitution (SPEC 1.5 X8 to X14, X17). Errors are Docker's texts. */
export function applySubstitution(substitution: Substitution): { value: string } | { error: string } {
  const { name, modifier, word, current, replacement } = substitution;
  const operator = modifier.at(-1)!;
  const missing = current === undefined || (modifier.startsWith(':') && current === '');
  const value = current ?? '';
  switch (operator) {
    case '-':
      return { value: missing ? word : value };
    case '+':
      return { value: missing ? '' : word };
    case '?': {
      if (!missing) return { value };
      const what = current === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
      return { error: `${name}: ${word === '' ? what : word}` };
    }
    case '#':
    case '%': {
      const longest = word.startsWith(operator);
      const text = longest ? word.slice(1) : word;
      return withPattern(text, value, (pattern) =>
        trim(value, pattern, { longest, suffix: operator === '%' }),
      );
    }
    case '/':
      return withPattern(word, value, (pattern) =>
        replace(value, pattern, { text: replacement!, all: modifier === '//' }),
      );
    default:
      return { error: `unsupported modifier (${modifier}) in substitution` };
  }
}

function withPattern(
  text: string,
  value: string,
  use: (pattern: Pattern) => string,
): { value: string } | { error: string } {
  const pattern = parsePattern(text);
  if ('error' in pattern) return { error: `invalid pattern (${text}) in substitution: ${pattern.error}` };
  if (pattern.tokens.length * value.length > MAX_PATTERN_STEPS) {
    return {
      error: `a pattern of ${pattern.tokens.length} on a value of ${value.length} characters is too much work`,
    };
  }
  return { value: use(pattern) };
}

function trim(value: string, pattern: Pattern, how: { longest: boolean; suffix: boolean }): string {
  const characters = Array.from(value);
  if (!how.suffix) {
    const end = matchPrefix(pattern, characters, how.longest);
    return end === undefined ? value : characters.slice(end).join('');
  }
  // The shortest suffix is the shortest prefix of the reversed text.
  const length = matchPrefix(reversePattern(pattern), characters.toReversed(), how.longest);
  return length === undefined ? value : characters.slice(0, characters.length - length).join('');
}

function replace(value: string, pattern: Pattern, how: { text: string; all: boolean }): string {
  const characters = Array.from(value);
  const starts = matchStarts(pattern, characters);
  let result = '';
  let copied = 0;
  let search = 0;
  let lastEnd = 0;
  while (search <= characters.length) {
    const match = findMatch(pattern, characters, search, starts);
    if (match === undefined) break;
    result += characters.slice(copied, match.start).join('');
    // An empty match right behind another match does not count.
    if (match.end > lastEnd || match.start === 0) {
      result += how.all
        ? fillTemplate(how.text, characters.slice(match.start, match.end).join(''))
        : how.text;
    }
    copied = lastEnd = match.end;
    search = match.end > search ? match.end : search + 1;
    if (!how.all) break;
  }
  return result + characters.slice(copied).join('');
}

/** The replacement of `//` is a template of Go's regexp package: `$0` is the match, other groups do not exist. */
function fillTemplate(template: string, match: string): string {
  return template.replace(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (whole, braced?: string, bare?: string) => {
      if (whole === '$$') return '$';
      return (braced ?? bare) === '0' ? match : '';
    },
  );
}
