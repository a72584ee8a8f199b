/**
 * Translates an expression of Go's `regexp` package into one of JavaScript. Docker turns ignore patterns into such
 * expressions with little escaping, so users get Go's syntax inside classes and after backslashes: `[[:digit:]]`,
 * `\d`, `\pL`. Only what can come out of a pattern is known here: literals, classes, escapes, `.`, groups, `*`, `?`.
 *
 * @param source an expression whose `(`, `)`, `*`, `?` and `.` outside classes are operators
 * @returns undefined when Go refuses the expression
 */
export function goRegExp(source: string): RegExp | undefined {
  try {
    return new RegExp(translate([...source]), 'u');
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const OPERATORS: Record<string, string> = {
  '(': '(?:',
  ')': ')',
  '*': '*',
  '?': '?',
  '^': '^',
  $: '$',
  '.': '[^\\n]',
};
const CONTROLS: Record<string, string> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
const PERL_CLASSES: Record<string, string> = {
  d: '0-9',
  D: '\\x00-/:-\\u{10ffff}',
  s: '\\t\\n\\f\\r ',
  S: '\\x00-\\x08\\x0b\\x0e-\\x1f!-\\u{10ffff}',
  w: '0-9A-Z_a-z',
  W: '\\x00-/:-@\\[-\\^`{-\\u{10ffff}',
};
const POSIX_CLASSES: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t-\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};
const POSIX_NEGATED: Record<string, string> = {
  alnum: '\\x00-\\/:-@\\[-`\\{-\\u{10ffff}',
  alpha: '\\x00-@\\[-`\\{-\\u{10ffff}',
  ascii: '\\x80-\\u{10ffff}',
  blank: '\\x00-\\x08\\n-\\x1f!-\\u{10ffff}',
  cntrl: ' -~\\x80-\\u{10ffff}',
  digit: '\\x00-\\/:-\\u{10ffff}',
  graph: '\\x00- \\x7f-\\u{10ffff}',
  lower: '\\x00-`\\{-\\u{10ffff}',
  print: '\\x00-\\x1f\\x7f-\\u{10ffff}',
  punct: '\\x00- 0-9A-Za-z\\x7f-\\u{10ffff}',
  space: '\\x00-\\x08\\x0e-\\x1f!-\\u{10ffff}',
  upper: '\\x00-@\\[-\\u{10ffff}',
  word: '\\x00-\\/:-@\\[-\\^`\\{-\\u{10ffff}',
  xdigit: '\\x00-\\/:-@G-`g-\\u{10ffff}',
};

function translate(input: string[]): string {
  let out = '';
  for (let at = 0; at < input.length; ) {
    const c = input[at]!;
    if (c === '[') {
      const parsed = parseClass(input, at);
      out += parsed.text;
      at = parsed.next;
    } else if (c === '\\' && input[at + 1] === 'Q') {
      for (at += 2; at < input.length && !(input[at] === '\\' && input[at + 1] === 'E'); at++)
        out += literal(input[at]!);
      at += 2;
    } else if (c === '\\') {
      const parsed = parseEscape(input, at, false);
      out += parsed.text;
      at = parsed.next;
    } else {
      out += OPERATORS[c] ?? literal(c);
      at++;
    }
  }
  return out;
}

interface Parsed {
  text: string;
  next: number;
  /** The one character that the text stands for, when it is not a class. */
  character?: string;
}

function parseClass(input: string[], start: number): Parsed {
  let at = start + 1;
  const negated = input[at] === '^';
  if (negated) at++;
  let text = '';
  for (let first = true; first || input[at] !== ']'; first = false) {
    if (at >= input.length) refuse('missing closing ]');
    const named = input[at] === '[' && input[at + 1] === ':' ? parsePosix(input, at) : undefined;
    const low = named ?? parseMember(input, at);
    at = low.next;
    if (low.character === undefined || input[at] !== '-' || at + 1 >= input.length || input[at + 1] === ']') {
      text += low.text;
      continue;
    }
    const high = parseMember(input, at + 1);
    if (high.character === undefined) refuse('invalid character class range');
    text += `${low.text}-${high.text}`;
    at = high.next;
  }
  return { text: `[${negated ? '^' : ''}${text}]`, next: at + 1 };
}

function parsePosix(input: string[], start: number): Parsed | undefined {
  const rest = input.slice(start + 2, start + 20).join('');
  const end = rest.indexOf(':]');
  if (end < 0) return undefined;
  const negated = rest.startsWith('^');
  const members = (negated ? POSIX_NEGATED : POSIX_CLASSES)[rest.slice(negated ? 1 : 0, end)];
  if (members === undefined) refuse('invalid character class range');
  return { text: members, next: start + 2 + end + 2 };
}

function parseMember(input: string[], at: number): Parsed {
  const c = input[at];
  if (c === undefined) refuse('missing closing ]');
  return c === '\\' ? parseEscape(input, at, true) : { text: literal(c), next: at + 1, character: c };
}

function parseEscape(input: string[], start: number, inClass: boolean): Parsed {
  const c = input[start + 1];
  if (c === undefined) refuse('trailing backslash');
  const next = start + 2;
  const single = (character: string, end = next): Parsed => ({
    text: literal(character),
    next: end,
    character,
  });
  if (/^[\x00-\x7f]$/.test(c) && !/^[0-9A-Za-z]$/.test(c)) return single(c);
  if (CONTROLS[c] !== undefined) return single(CONTROLS[c]);
  const members = PERL_CLASSES[c];
  if (members !== undefined) return { text: inClass ? members : `[${members}]`, next };
  if (c === 'p' || c === 'P') return parseUnicodeClass(input, start);
  if (c === 'x') return parseHex(input, next, single);
  if (/^[0-7]$/.test(c)) {
    const digits = /^[0-7]{1,3}/.exec(input.slice(start + 1, start + 4).join(''))![0];
    if (c === '0' || digits.length > 1)
      return single(String.fromCodePoint(Number.parseInt(digits, 8)), start + 1 + digits.length);
  }
  if (!inClass) {
    if (c === 'A') return { text: '^', next };
    if (c === 'z') return { text: '$', next };
    if (c === 'b' || c === 'B') return { text: `\\${c}`, next };
  }
  return refuse('invalid escape sequence');
}

function parseUnicodeClass(input: string[], start: number): Parsed {
  const rest = input.slice(start + 2, start + 60).join('');
  const match = /^(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/.exec(rest);
  if (match === null) refuse('invalid character class range');
  const name = match[2] ?? match[3]!;
  const negated = (input[start + 1] === 'P') !== (match[1] === '^');
  const property = /^[A-Z][a-z]?$/.test(name) ? name : `Script=${name}`;
  return { text: `\\${negated ? 'P' : 'p'}{${property}}`, next: start + 2 + match[0].length };
}

function parseHex(input: string[], at: number, single: (character: string, end: number) => Parsed): Parsed {
  const match = /^(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/.exec(input.slice(at, at + 12).join(''));
  const code = match === null ? Number.NaN : Number.parseInt(match[1] ?? match[2]!, 16);
  if (match === null || code > 0x10ffff) refuse('invalid escape sequence');
  return single(String.fromCodePoint(code), at + match[0].length);
}

function literal(character: string): string {
  return /^[0-9A-Za-z_/]$/.test(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

function refuse(reason: string): never {
  throw new SyntaxError(reason);
}
