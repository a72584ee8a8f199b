import { SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { type GlobToken, parseGlob } from './glob-syntax.ts';
import { goText } from './go-text.ts';

/** Tests one path element (a name without slashes). */
export type ElementMatcher = (name: BytePath) => boolean;

/**
 * Compiles one element of a COPY source as Go's `filepath.Match` reads it (SPEC C8). minimatch does the matching;
 * the pattern is written anew for it, because `[!a]`, POSIX classes and escapes mean other things there.
 *
 * @throws SlipwayError `syntax` BAD_PATTERN
 */
export async function compileElement(element: BytePath): Promise<ElementMatcher> {
  const tokens = parseGlob(goText(element));
  if (tokens === undefined)
    throw new SlipwayError('syntax', `syntax error in pattern: "${textOf(element)}"`, {
      code: 'BAD_PATTERN',
      hint: 'A "[" needs its "]"; write "[[]" for the character itself.',
    });
  if (tokens.every((token) => token.kind === 'literal')) {
    const text = tokens.map((token) => token.text).join('');
    return (name) => goText(name) === text;
  }
  const { Minimatch } = await import('minimatch');
  const compile = (shrink: (text: string) => string): ElementMatcher => {
    const pattern = new Minimatch(tokens.map((token) => tokenText(token, shrink)).join(''), {
      dot: true,
      noglobstar: true,
      nobrace: true,
      noext: true,
      nonegate: true,
      nocomment: true,
      platform: 'linux',
      optimizationLevel: 0,
    });
    return (name) => pattern.match(shrink(goText(name)));
  };
  const astral = tokens.flatMap(charactersOf).filter(isAstral);
  const plain = compile((text) => text);
  return (name) => {
    const text = goText(name);
    // minimatch counts UTF-16 units: characters beyond U+FFFF get stand-ins in the same order.
    const beyond = [...text].filter(isAstral);
    return beyond.length + astral.length === 0
      ? plain(name)
      : compile(standIns([...astral, ...beyond]))(name);
  };
}

function tokenText(token: GlobToken, shrink: (text: string) => string): string {
  const quoted = (text: string): string => (/^[0-9A-Za-z]$/.test(text) ? text : `\\${shrink(text)}`);
  if (token.kind === 'star') return '*';
  if (token.kind === 'any') return '?';
  if (token.kind === 'literal') return quoted(token.text);
  const ranges = token.ranges.map(([low, high]) =>
    low === high ? quoted(low) : `${quoted(low)}-${quoted(high)}`,
  );
  return `[${token.negated ? '^' : ''}${ranges.join('')}]`;
}

function charactersOf(token: GlobToken): string[] {
  if (token.kind === 'class') return token.ranges.flat();
  return token.kind === 'literal' ? [token.text] : [];
}

function isAstral(character: string): boolean {
  return character.length > 1;
}

function standIns(characters: string[]): (text: string) => string {
  const order = [...new Set(characters)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const PRIVATE_USE = 0xe000;
  const map = new Map(order.map((character, index) => [character, String.fromCharCode(PRIVATE_USE + index)]));
  return (text) => [...text].map((character) => map.get(character) ?? character).join('');
}
