import { SlipwayError } from '../errors/index.ts';
import type { BytePath } from '../sys/bytes.ts';
import { textOf } from '../sys/bytes.ts';
import { parseGlob } from './glob-syntax.ts';
import { goRegExp } from './go-regexp.ts';
import { goText } from './go-text.ts';

/** One cleaned pattern of an ignore file or of `--exclude`, ready to be tested against paths. */
export interface IgnorePattern {
  /** Bytes without the `!`. */
  text: BytePath;
  /** `!pattern`: shows what an earlier pattern hid. */
  exception: boolean;
  /** True when the pattern matches exactly this path (parents are the caller's business). */
  matches(path: BytePath): boolean;
  /**
   * What every matching path begins with, whole elements, without slashes at the ends; empty when nothing is known.
   * Lets a walker pass by directories in which nothing can match.
   */
  literalPrefix: BytePath;
}

/**
 * Compiles a pattern that is trimmed and cleaned (SPEC I3).
 *
 * @throws SlipwayError `syntax` BAD_IGNORE_PATTERN for what Go's `filepath.Match` refuses
 */
export function compilePattern(cleaned: BytePath): IgnorePattern {
  const exception = cleaned.startsWith('!');
  const text = exception ? cleaned.slice(1) : cleaned;
  if (exception && text === '')
    throw badPattern('illegal exclusion pattern: "!"', 'A "!" needs a pattern after it.');
  if (parseGlob(goText(text)) === undefined) throw syntaxError(text);
  return { text, exception, matches: matcherOf(text), literalPrefix: literalPrefix(text) };
}

/** Elements before the first one that has a special character. A trailing `**` or `*` never matches its parent. */
function literalPrefix(text: BytePath): BytePath {
  const elements = text.split('/');
  const special = elements.findIndex((element) => /[*?[\]^\\]/.test(element));
  return elements.slice(0, special < 0 ? undefined : special).join('/');
}

/**
 * Docker compares in four ways, by the shape of the pattern: whole, by prefix (`a/**`), by suffix (`**` followed by
 * literal text: `**` + `b` matches `ab` too) and by regular expression. The translation is the one of
 * moby/patternmatcher, slips included: inside a class `*` and `?` become `[^/]*` and `[^/]`.
 */
function matcherOf(text: BytePath): (path: BytePath) => boolean {
  const { kind, source } = translate([...goText(text)]);
  if (kind === 'exact') return (path) => path === text;
  if (kind === 'prefix') {
    const prefix = text.slice(0, -2);
    return (path) => path.startsWith(prefix);
  }
  if (kind === 'suffix') {
    const suffix = text.slice(2);
    const whole = suffix.startsWith('/') ? suffix.slice(1) : undefined;
    return (path) => path.endsWith(suffix) || path === whole;
  }
  const regexp = goRegExp(source);
  if (regexp === undefined) throw syntaxError(text);
  return (path) => regexp.test(goText(path));
}

type MatchKind = 'exact' | 'prefix' | 'suffix' | 'regexp';

function translate(input: string[]): { kind: MatchKind; source: string } {
  let source = '^';
  let kind: MatchKind = 'exact';
  let step = 0;
  for (let at = 0; at < input.length; step++) {
    const c = input[at++]!;
    if (c === '*' && input[at] === '*') {
      at++;
      if (input[at] === '/') at++;
      if (at < input.length) {
        source += '(.*/)?';
        kind = 'regexp';
      } else if (kind === 'exact') {
        kind = 'prefix';
      } else {
        source += '.*';
        kind = 'regexp';
      }
      if (step === 0) kind = 'suffix';
    } else if (c === '*' || c === '?') {
      source += c === '*' ? '[^/]*' : '[^/]';
      kind = 'regexp';
    } else if (c === '\\') {
      source += `\\${input[at++] ?? ''}`;
      kind = 'regexp';
    } else if (c === '[' || c === ']') {
      source += c;
      kind = 'regexp';
    } else {
      source += /^[.+()|{}$]$/.test(c) ? `\\${c}` : c;
    }
  }
  return { kind, source: `${source}$` };
}

function syntaxError(text: BytePath): SlipwayError {
  return badPattern(
    `syntax error in pattern: "${textOf(text)}"`,
    'A "[" needs its "]" with something in between; write "\\[" for the character itself.',
  );
}

function badPattern(message: string, hint: string): SlipwayError {
  return new SlipwayError('syntax', message, { code: 'BAD_IGNORE_PATTERN', hint });
}
