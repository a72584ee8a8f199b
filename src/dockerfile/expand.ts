import type { EscapeCharacter } from '../../grammar/ast.ts';
import { SlipwayError } from '../errors/index.ts';
import { goQuote, isGoSpace } from './go-text.ts';
import { applySubstitution } from './substitution.ts';

/** Looks up a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  /** The Dockerfile's escape character. */
  escape: EscapeCharacter;
  /** Quotes are ordinary characters (bodies of here-documents). */
  plainQuotes?: boolean;
  /** Quotes take effect and stay in the result (titles of steps). */
  keepQuotes?: boolean;
  /** Variables that are not set stay as written (titles of steps). */
  keepUnset?: boolean;
}

/** What became of a word. The names are in the order of their first use, each once. */
export interface Expansion {
  value: string;
  /** Variables that were set. */
  usedNames: string[];
  /** Variables that were not; shell parameters like `$1` are among them. */
  undefinedNames: string[];
}

/** No substitution may stand in more than this many others; Docker's own limit is its memory. */
const MAX_DEPTH = 500;

/** UTF-16 units that a single expansion may give, against `ENV a=$a$a` repeated. */
const MAX_EXPANDED_LENGTH = 4 * 1024 * 1024;

/**
 * Removes quotes and escapes from `raw` and puts in the values of variables (SPEC 1.5 X1 to X18).
 *
 * @throws SlipwayError `EXPANSION_FAILED` with Docker's text, or `EXPANSION_TOO_LARGE`.
 */
export function expandWord(raw: string, lookup: Lookup, options: ExpandOptions): Expansion {
  return run(raw, lookup, options);
}

/**
 * As `expandWord`, and splits the result at white space that no quote or escape protects: a variable may hold
 * several words (EXPOSE).
 */
export function expandWords(
  raw: string,
  lookup: Lookup,
  options: ExpandOptions,
): Omit<Expansion, 'value'> & { words: string[] } {
  const words = new Words();
  const { usedNames, undefinedNames } = run(raw, lookup, { ...options, words });
  return { words: words.finish(), usedNames, undefinedNames };
}

/** Expands the body of a COPY or ADD here-document (SPEC 1.10): backslash escapes, quotes are plain text. */
export function expandHeredoc(content: string, lookup: Lookup): Expansion {
  return expandWord(content, lookup, { escape: '\\', plainQuotes: true });
}

/** Removes quotes and escapes, expands nothing. Unset variables stay as written. */
export function unquoteWord(raw: string, escapeCharacter: EscapeCharacter): string {
  return expandWord(raw, () => undefined, { escape: escapeCharacter, keepUnset: true }).value;
}

/** With `words`, the result is collected there too, split into words. */
function run(raw: string, lookup: Lookup, options: ExpandOptions & { words?: Words }): Expansion {
  const scanner = new Scanner(raw, lookup, options);
  try {
    const value = scanner.readUntil(undefined, { rawEscapes: false, depth: 0 }, options.words);
    return { value, usedNames: [...scanner.used], undefinedNames: [...scanner.undefined] };
  } catch (error) {
    if (!(error instanceof ExpansionFailure)) throw error;
    throw new SlipwayError('syntax', `failed to process ${goQuote(clip(raw))}: ${error.message}`, {
      code: 'EXPANSION_FAILED',
      hint: error.hint,
    });
  }
}

function clip(raw: string): string {
  return raw.length <= 400 ? raw : `${raw.slice(0, 400)}…`;
}

/** Leaves the recursive scanner; never leaves this file. */
class ExpansionFailure extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

interface Context {
  /** Escapes stay in the result: the text is a pattern. */
  rawEscapes: boolean;
  depth: number;
}

/** One pass over one text; holds the position and what was looked up. */
class Scanner {
  readonly used = new Set<string>();
  readonly undefined = new Set<string>();
  private readonly text: string[];
  private readonly lookup: Lookup;
  private readonly options: ExpandOptions;
  private position = 0;

  constructor(raw: string, lookup: Lookup, options: ExpandOptions) {
    this.text = Array.from(raw);
    this.lookup = lookup;
    this.options = options;
  }

  /** Reads up to the character `stop` (which is consumed), or to the end. */
  readUntil(stop: string | undefined, context: Context, words?: Words): string {
    let value = '';
    while (this.position < this.text.length) {
      const character = this.text[this.position]!;
      if (character === stop) {
        this.position++;
        return value;
      }
      if (character === '$') {
        const text = this.readDollar(context);
        value += text;
        words?.addSplitting(text);
      } else if (character === "'" && this.options.plainQuotes !== true) {
        const text = this.readSingleQuoted();
        value += text;
        words?.add(text);
      } else if (character === '"' && this.options.plainQuotes !== true) {
        const text = this.readDoubleQuoted(context);
        value += text;
        words?.add(text);
      } else if (character === this.options.escape) {
        this.position++;
        if (context.rawEscapes) {
          value += character;
          words?.add(character);
        }
        const next = this.text[this.position];
        if (next === undefined) break;
        this.position++;
        value += next;
        words?.add(next);
      } else {
        this.position++;
        value += character;
        words?.addSplitting(character);
      }
      checkLength(value);
    }
    if (stop !== undefined) {
      throw new ExpansionFailure(`unexpected end of statement while looking for matching ${stop}`);
    }
    return value;
  }

  private readSingleQuoted(): string {
    const end = this.text.indexOf("'", this.position + 1);
    if (end === -1) {
      this.position = this.text.length;
      throw new ExpansionFailure(
        'unexpected end of statement while looking for matching single-quote',
        'Close the quote, or put the escape character before it when a plain quote is meant.',
      );
    }
    const inner = this.text.slice(this.position + 1, end).join('');
    this.position = end + 1;
    return this.options.keepQuotes === true ? `'${inner}'` : inner;
  }

  private readDoubleQuoted(context: Context): string {
    const quote = this.options.keepQuotes === true ? '"' : '';
    let value = quote;
    this.position++;
    for (;;) {
      const character = this.text[this.position];
      if (character === undefined) {
        throw new ExpansionFailure(
          'unexpected end of statement while looking for matching double-quote',
          'Close the quote, or put the escape character before it when a plain quote is meant.',
        );
      }
      if (character === '$') {
        value += this.readDollar(context);
        checkLength(value);
        continue;
      }
      this.position++;
      if (character === '"') return value + quote;
      if (character !== this.options.escape) {
        value += character;
        continue;
      }
      if (context.rawEscapes) value += character;
      const next = this.text[this.position];
      if (next === undefined) continue;
      if (next === '"' || next === '$' || next === this.options.escape) {
        this.position++;
        value += next;
      } else {
        value += character;
      }
    }
  }

  private readDollar(context: Context): string {
    this.position++;
    if (this.text[this.position] !== '{') {
      const name = this.readName();
      if (name === '') return '$';
      const value = this.get(name);
      return value ?? (this.options.keepUnset === true ? `$${name}` : '');
    }
    if (context.depth >= MAX_DEPTH) {
      throw new SlipwayError('exhausted', `variables are nested more than ${MAX_DEPTH} levels deep`, {
        code: 'EXPANSION_TOO_LARGE',
      });
    }
    this.position++;
    return this.readBraces({ rawEscapes: false, depth: context.depth + 1 });
  }

  private readBraces(context: Context): string {
    const first = this.text[this.position];
    if (first === undefined) throw missingBrace();
    if (first === '{' || first === '}' || first === ':') {
      throw new ExpansionFailure(
        'syntax error: bad substitution',
        `Write a name behind \${, as in \${name}.`,
      );
    }
    const name = this.readName();
    const operator = this.text[this.position++];
    switch (operator) {
      case '}': {
        const value = this.get(name);
        return value ?? (this.options.keepUnset === true ? `\${${name}}` : '');
      }
      case '/':
        return this.readReplacement(name, context);
      case '+':
      case '-':
      case '?':
      case '#':
      case '%':
        return this.readModifier(name, operator, context);
      case ':': {
        const second = this.text[this.position++];
        if (second === undefined) throw missingBrace();
        return this.readModifier(name, `:${second}`, context);
      }
      case undefined:
        throw missingBrace();
      default:
        throw unsupported(operator);
    }
  }

  private readModifier(name: string, modifier: string, context: Context): string {
    const isPattern = modifier.endsWith('#') || modifier.endsWith('%');
    if (isPattern && modifier.startsWith(':')) throw unsupported(modifier);
    const word = this.readPart('}', missingBrace, { ...context, rawEscapes: isPattern });
    if (modifier.startsWith(':') && !/^:[-+?]$/.test(modifier)) throw unsupported(modifier);
    const current = this.get(name);
    if (current === undefined && this.options.keepUnset === true) return `\${${name}${modifier}${word}}`;
    return this.substitute(name, { modifier, word, current });
  }

  private readReplacement(name: string, context: Context): string {
    const all = this.text[this.position] === '/';
    if (all) this.position++;
    const raw = { ...context, rawEscapes: true };
    const missingSlash = () =>
      new ExpansionFailure(
        `syntax error: missing '/' in \${}`,
        `A replacement is written \${name/pattern/text}.`,
      );
    const pattern = this.readPart('/', missingSlash, raw);
    const replacement = this.readPart('}', missingBrace, raw);
    const current = this.get(name);
    if (current === undefined && this.options.keepUnset === true) {
      return `\${${name}/${pattern}/${replacement}}`;
    }
    return this.substitute(name, { modifier: all ? '//' : '/', word: pattern, current, replacement });
  }

  private substitute(name: string, request: Omit<Parameters<typeof applySubstitution>[0], 'name'>): string {
    const outcome = applySubstitution({ name, ...request });
    if ('error' in outcome) throw new ExpansionFailure(outcome.error);
    checkLength(outcome.value);
    return outcome.value;
  }

  /** Reads up to `stop`; running out of text inside is always reported as `missing`, whatever was open. */
  private readPart(stop: string, missing: () => ExpansionFailure, context: Context): string {
    try {
      return this.readUntil(stop, context);
    } catch (error) {
      if (error instanceof ExpansionFailure && this.position >= this.text.length) throw missing();
      throw error;
    }
  }

  /** Digits, one special parameter, or letters, digits and underscores. Empty when none of these follows. */
  private readName(): string {
    const start = this.position;
    const first = this.text[start];
    if (first === undefined) return '';
    let accepts = /^[\p{L}\p{Nd}_]$/u;
    if (/^\p{Nd}$/u.test(first)) {
      accepts = /^\p{Nd}$/u;
    } else if ('@*#?-$!'.includes(first)) {
      this.position++;
      return first;
    }
    while (this.position < this.text.length && accepts.test(this.text[this.position]!)) this.position++;
    return this.text.slice(start, this.position).join('');
  }

  private get(name: string): string | undefined {
    const value = this.lookup(name);
    (value === undefined ? this.undefined : this.used).add(name);
    return value;
  }
}

/** Collects the words of a text that is read piece by piece. */
class Words {
  private readonly words: string[] = [];
  private current = '';

  add(text: string): void {
    this.current += text;
  }

  addSplitting(text: string): void {
    for (const character of text) {
      if (isGoSpace(character)) this.end();
      else this.current += character;
    }
  }

  finish(): string[] {
    this.end();
    return this.words;
  }

  private end(): void {
    if (this.current !== '') this.words.push(this.current);
    this.current = '';
  }
}

function missingBrace(): ExpansionFailure {
  return new ExpansionFailure("syntax error: missing '}'", `Close the substitution: \${name}.`);
}

function unsupported(modifier: string): ExpansionFailure {
  return new ExpansionFailure(
    `unsupported modifier (${modifier}) in substitution`,
    'Known are :- - :+ + :? ? # ## % %% / and //.',
  );
}

function checkLength(value: string): void {
  if (value.length <= MAX_EXPANDED_LENGTH) return;
  throw new SlipwayError('exhausted', `an expanded value is longer than ${MAX_EXPANDED_LENGTH} characters`, {
    code: 'EXPANSION_TOO_LARGE',
    hint: 'A value that contains itself several times grows with every line.',
  });
}
