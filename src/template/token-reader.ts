import { goQuote } from '../dockerfile/go-text.ts';
import { lex } from './lex.ts';
import type { Place } from './nodes.ts';
import { parseError } from './template-error.ts';
import type { Token, TokenKind } from './tokens.ts';
import { unquoteString } from './unquote.ts';

/** The tokens of a template, taken one after the other; says in Go's words what is wrong with one. */
export class TokenReader {
  /** Index of the next token. */
  next = 0;
  readonly #tokens: Token[];
  readonly #input: string;

  constructor(input: string) {
    this.#input = input;
    this.#tokens = lex(input);
  }

  /** Whether the action that begins here does so with this word. */
  startsAction(keyword: string): boolean {
    let at = this.next + 1;
    while (this.#tokens[at]?.kind === 'space') at++;
    const token = this.#tokens[at];
    return this.peek().kind === 'left' && token?.kind === 'keyword' && token.text === keyword;
  }

  /** The next token but spaces, which has to be of this kind; `context` is for the error. */
  expect(kind: TokenKind, context: string): Token {
    const token = this.takeNonSpace();
    if (token.kind !== kind) this.unexpected(token, context);
    return token;
  }

  /** The next token, which stays. */
  peek(): Token {
    return this.#tokens[Math.min(this.next, this.#tokens.length - 1)]!;
  }

  peekNonSpace(): Token {
    while (this.peek().kind === 'space') this.next++;
    return this.peek();
  }

  take(): Token {
    const token = this.peek();
    this.next = Math.min(this.next + 1, this.#tokens.length);
    return token;
  }

  takeNonSpace(): Token {
    this.peekNonSpace();
    return this.take();
  }

  /** Line from 1, column in bytes from 0. */
  placeOf(token: Token): Place {
    const begin = this.#input.lastIndexOf('\n', token.offset - 1) + 1;
    return { line: token.line, column: Buffer.byteLength(this.#input.slice(begin, token.offset)) };
  }

  /** Throws `TEMPLATE_SYNTAX`. */
  unexpected(token: Token, context: string): never {
    if (token.kind === 'error') this.fail(token.text, token);
    this.fail(`unexpected ${tokenText(token)} in ${context}`, token);
  }

  /** Throws `TEMPLATE_SYNTAX` at this token; default the last one that was taken. */
  fail(problem: string, token: Token = this.#tokens[Math.max(0, this.next - 1)]!): never {
    // An error of the lexer comes before whatever it led to.
    const last = this.peek();
    if (last.kind === 'error' && token.kind !== 'error') throw parseError(last.line, last.text);
    throw parseError(token.line, problem);
  }

  /** The text that a quoted token stands for. */
  unquoted(token: Token): string {
    if (token.kind === 'raw-string') return token.text.slice(1, -1).replaceAll('\r', '');
    return unquoteString(token.text) ?? this.fail('invalid syntax');
  }
}

function tokenText(token: Token): string {
  if (token.kind === 'end') return 'EOF';
  if (token.kind === 'keyword' || token.kind === 'dot' || token.kind === 'nil') return `<${token.text}>`;
  const letters = Array.from(token.text);
  return letters.length > 10 ? `${goQuote(letters.slice(0, 10).join(''))}...` : goQuote(token.text);
}
