import type { DirectiveName, EscapeCharacter } from './ast.ts';
import { skipSpaces } from './characters.ts';
import { physicalLine, type Span } from './logical-line.ts';

const directiveNames: readonly string[] = ['syntax', 'escape', 'check'] satisfies DirectiveName[];

/** A directive by offsets. `error` says why it does not count. */
export interface ScannedDirective extends Span {
  name: DirectiveName;
  value: string;
  valueStart: number;
  error?: 'duplicate' | 'escape';
}

/** What the head of a file says: its directives, the escape character, and where they end. */
export interface DirectiveScan {
  directives: ScannedDirective[];
  escape: EscapeCharacter;
}

/**
 * Reads the parser directives at the head of a file (SPEC 1.2). Behind a `#!` first line `syntax` and `check` still
 * count, `escape` and the rule about duplicates do not: Docker looks for each of them in another way.
 */
export function scanDirectives(source: string): DirectiveScan {
  const scan: DirectiveScan = { directives: [], escape: '\\' };
  const seen = new Set<string>();
  let at = source.startsWith('\uFEFF') ? 1 : 0;
  const shebang = source.startsWith('#!', at);
  if (shebang) at = physicalLine(source, at).next;
  while (at < source.length) {
    const { end, next } = physicalLine(source, at);
    const directive = readDirective(source, skipSpaces(source, at, end), end, '#');
    if (directive === undefined) break;
    at = next;
    if (shebang && (directive.name === 'escape' || seen.has(directive.name))) continue;
    if (seen.has(directive.name)) directive.error = 'duplicate';
    else if (directive.name === 'escape') {
      if (directive.value === '\\' || directive.value === '`') scan.escape = directive.value;
      else directive.error = 'escape';
    }
    seen.add(directive.name);
    scan.directives.push(directive);
  }
  return scan;
}

function readDirective(
  source: string,
  start: number,
  end: number,
  mark: string,
): ScannedDirective | undefined {
  if (!source.startsWith(mark, start)) return undefined;
  const textStart = skipSpaces(source, start + mark.length, end);
  const match = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*/.exec(source.slice(textStart, end));
  const name = match?.[1]?.toLowerCase();
  if (match === null || name === undefined || !directiveNames.includes(name)) return undefined;
  const valueStart = textStart + match[0].length;
  let valueEnd = end;
  while (valueEnd > valueStart && '\t\n\f\r '.includes(source[valueEnd - 1]!)) valueEnd--;
  if (valueEnd === valueStart) return undefined;
  return {
    start,
    end: valueEnd,
    name: name as DirectiveName,
    value: source.slice(valueStart, valueEnd),
    valueStart,
  };
}

/** The frontend that a file asks for: the reference, and the reference with what follows it. */
export interface SyntaxRequest {
  reference: string;
  commandLine: string;
}

/**
 * Finds the `syntax` request of a file in any of its forms: a `#` directive (also behind `#!`), a `//` directive, or
 * a JSON document with a `syntax` string. Unlike in the parser, no blank may stand before the mark.
 */
export function detectSyntax(source: string): SyntaxRequest | undefined {
  let start = source.startsWith('\uFEFF') ? 1 : 0;
  if (source.startsWith('#!', start)) start = physicalLine(source, start).next;
  const value = syntaxDirective(source, start, '#') ?? syntaxDirective(source, start, '//');
  if (value !== undefined) return { reference: value.split(' ', 1)[0]!, commandLine: value };
  const json = syntaxOfJson(source.slice(start));
  return json === undefined ? undefined : { reference: json, commandLine: json };
}

function syntaxDirective(source: string, start: number, mark: string): string | undefined {
  const seen = new Set<string>();
  for (let at = start; at < source.length; ) {
    const { end, next } = physicalLine(source, at);
    const directive = readDirective(source, at, end, mark);
    if (directive === undefined || seen.has(directive.name)) return undefined;
    if (directive.name === 'syntax') return directive.value;
    seen.add(directive.name);
    at = next;
  }
  return undefined;
}

function syntaxOfJson(text: string): string | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const { syntax } = JSON.parse(text) as { syntax?: unknown };
    return typeof syntax === 'string' ? syntax : undefined;
  } catch {
    return undefined;
  }
}
