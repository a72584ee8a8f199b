import { isSpace } from './characters.ts';

/** A here-document's opener within a logical line; `start` and `end` are indexes of that line. */
export interface Opener {
  name: string;
  fd: number | undefined;
  stripTabs: boolean;
  quoted: boolean;
  start: number;
  end: number;
}

/**
 * Finds the openers in a whole logical line. Words are split as Docker's shell reader splits them, always with `\` as
 * escape (SPEC 1.10); a quote without its partner or a substitution that the reader refuses (`${a^}`) means that the
 * line has no here-document at all.
 */
export function findOpeners(line: string): Opener[] {
  if (!line.includes('<<')) return [];
  const openers: Opener[] = [];
  for (const word of splitWords(line) ?? []) {
    const opener = readOpener(line.slice(word.start, word.end));
    if (opener !== undefined) openers.push({ ...opener, start: word.start, end: word.end });
  }
  return openers;
}

/** Reads one word as an opener: digits, `<<` or `<<-`, blanks, a name. Undefined when it is something else. */
export function readOpener(word: string): Omit<Opener, 'start' | 'end'> | undefined {
  const head = /^(\d*)<<(-?)[\t\n\f\r ]*/.exec(word);
  if (head === null || word.indexOf('<', head[0].length) !== -1) return undefined;
  const name = unquote(word.slice(head[0].length));
  if (name === undefined) return undefined;
  return { ...name, fd: head[1] === '' ? undefined : Number(head[1]), stripTabs: head[2] === '-' };
}

/** Removes quotes and escapes; undefined for nothing, for several words, and for what cannot be read. */
function unquote(text: string): { name: string; quoted: boolean } | undefined {
  const words = splitWords(text);
  if (words?.length !== 1) return undefined;
  const { start, end } = words[0]!;
  let name = '';
  let quoted = false;
  let quote = '';
  for (let at = start; at < end; at++) {
    const character = text[at]!;
    if (quote === '' && (character === '"' || character === "'")) {
      quote = character;
      quoted = true;
    } else if (character === quote) quote = '';
    else if (character === '\\' && quote !== "'" && at + 1 < end) {
      const next = text[at + 1]!;
      if (quote === '' || next === '"' || next === '$' || next === '\\') at++;
      name += text[at];
    } else if (character !== '\\' || quote === "'") name += character;
  }
  return name === '' ? undefined : { name, quoted };
}

/** What the reader is inside of: `"…"`, the word of a substitution up to `}`, or its pattern up to `/`. */
type Context = '"' | '}' | '/';

/** The words of a line with quotes kept; undefined where Docker's reader gives up. Nesting costs memory, not stack. */
function splitWords(line: string): { start: number; end: number }[] | undefined {
  const words: { start: number; end: number }[] = [];
  const contexts: Context[] = [];
  let start = -1;
  let at = 0;
  while (at < line.length) {
    const character = line[at]!;
    const context = contexts.at(-1);
    if (context === undefined) {
      if (isSpace(line.charCodeAt(at))) {
        if (start !== -1) words.push({ start, end: at });
        start = -1;
        at++;
        continue;
      }
      if (start === -1) start = at;
    }
    if (character === context) {
      contexts.pop();
      if (context === '/') contexts.push('}');
      at++;
    } else if (character === '\\') at += context === '"' && !'"$\\'.includes(line[at + 1] ?? ' ') ? 1 : 2;
    else if (character === '"') {
      contexts.push('"');
      at++;
    } else if (character === "'" && context !== '"') {
      const end = line.indexOf("'", at + 1);
      if (end === -1) return undefined;
      at = end + 1;
    } else if (character === '$') {
      const dollar = readDollar(line, at);
      if (dollar === undefined) return undefined;
      if (dollar.context !== undefined) contexts.push(dollar.context);
      at = dollar.end;
    } else if (character === '<' && context === undefined && line[at + 1] === '<') {
      // Blanks may stand between `<<` and the name; they belong to the word.
      at += 2;
      while (at < line.length && isHeredocBlank(line[at]!)) at++;
    } else at++;
  }
  if (contexts.length > 0) return undefined;
  if (start !== -1) words.push({ start, end: Math.min(at, line.length) });
  return words;
}

function isHeredocBlank(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\n' || character === '\r';
}

const variableName = /\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;

/** Reads `$name` or the head of `${name…}` at `at`; `context` says what follows. Undefined for a bad substitution. */
function readDollar(line: string, at: number): { end: number; context?: Context } | undefined {
  const braced = line[at + 1] === '{';
  const nameStart = at + (braced ? 2 : 1);
  variableName.lastIndex = nameStart;
  const end = nameStart + (variableName.exec(line)?.[0].length ?? 0);
  if (!braced) return { end };
  if ('{}:'.includes(line[nameStart] ?? '{')) return undefined;
  switch (line[end]) {
    case '}':
      return { end: end + 1 };
    case ':': {
      const modifier = line[end + 1];
      return modifier === undefined || modifier === '#' || modifier === '%'
        ? undefined
        : { end: end + 2, context: '}' };
    }
    case '+':
    case '-':
    case '?':
    case '#':
    case '%':
      return { end: end + 1, context: '}' };
    case '/':
      return { end: end + (line[end + 1] === '/' ? 2 : 1), context: '/' };
    default:
      return undefined;
  }
}

/** Where the lines of a body lie: its content, and the terminator when there is one. */
export interface HeredocBody {
  start: number;
  contentEnd: number;
  /** The terminator's text without its tabs and line break; equal to `contentEnd` when it is missing. */
  terminatorEnd: number;
  next: number;
  terminated: boolean;
}

/** Reads the body that begins at `start`, up to the line that equals the name (SPEC 1.10). */
export function readBody(
  source: string,
  start: number,
  opener: Pick<Opener, 'name' | 'stripTabs'>,
): HeredocBody {
  let at = start;
  while (at < source.length) {
    const newline = source.indexOf('\n', at);
    const next = newline === -1 ? source.length : newline + 1;
    let end = newline === -1 ? source.length : newline;
    while (end > at && source[end - 1] === '\r') end--;
    let first = at;
    if (opener.stripTabs) while (first < end && source[first] === '\t') first++;
    if (end - first === opener.name.length && source.startsWith(opener.name, first)) {
      return { start, contentEnd: at, terminatorEnd: end, next, terminated: true };
    }
    at = next;
  }
  return { start, contentEnd: at, terminatorEnd: at, next: at, terminated: false };
}

/** Leading tabs dropped from each line of a body, as `<<-` asks for. */
export function stripLeadingTabs(content: string): string {
  return content.replace(/(^|\n)\t+/g, '$1');
}
