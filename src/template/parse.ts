import { goQuote } from '../dockerfile/go-text.ts';
import { lex } from './lex.ts';
import type { Command, Node, Operand, Pipeline, Place } from './nodes.ts';
import { parseNumber } from './number.ts';
import { pipelineText } from './print-nodes.ts';
import { parseError } from './template-error.ts';
import type { Token, TokenKind } from './tokens.ts';
import { unquoteChar, unquoteString } from './unquote.ts';

/** A template ready to be evaluated: its own body, and those that it defines by name. */
export interface Template {
  body: Node[];
  defined: Map<string, Node[]>;
}

const OPERANDS: ReadonlySet<TokenKind> = new Set([
  'bool',
  'char',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'raw-string',
  'string',
  'variable',
  'open',
]);

/** Groups of nested control structures and parentheses; Go's own parser would fill its stack. */
const MAX_DEPTH = 500;

type Ending = 'end' | 'else';

/**
 * Parses a template as Go's text/template does. `functions` are the names that may be called.
 *
 * @throws SlipwayError `TEMPLATE_SYNTAX` in Go's words.
 */
export function parseTemplate(text: string, functions: ReadonlySet<string>): Template {
  return new Parser(text, functions).template();
}

class Parser {
  readonly #tokens: Token[];
  readonly #input: string;
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, Node[]>();
  #next = 0;
  #variables: string[] = ['$'];
  #rangeDepth = 0;
  #depth = 0;

  constructor(input: string, functions: ReadonlySet<string>) {
    this.#input = input;
    this.#tokens = lex(input);
    this.#functions = functions;
  }

  template(): Template {
    const body: Node[] = [];
    while (this.#peek().kind !== 'end') {
      if (this.#peek().kind === 'left' && this.#startsDefinition()) {
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if (typeof node === 'string') this.#fail(`unexpected {{${node}}}`);
      body.push(node);
    }
    return { body, defined: this.#defined };
  }

  #startsDefinition(): boolean {
    let at = this.#next + 1;
    while (this.#tokens[at]?.kind === 'space') at++;
    const token = this.#tokens[at];
    return token?.kind === 'keyword' && token.text === 'define';
  }

  #definition(): void {
    this.#take();
    this.#takeNonSpace();
    const name = this.#nameIn('define clause');
    this.#expect('right', 'define clause');
    const outer = this.#variables;
    this.#variables = ['$'];
    const { nodes, ending } = this.#list();
    if (ending !== 'end') this.#fail(`unexpected {{${ending}}} in define clause`);
    this.#variables = outer;
    this.#defined.set(name, nodes);
  }

  #nameIn(context: string): string {
    const token = this.#takeNonSpace();
    if (token.kind !== 'string' && token.kind !== 'raw-string') this.#unexpected(token, context);
    return this.#unquoted(token);
  }

  #list(): { nodes: Node[]; ending: Ending } {
    this.#enter();
    const nodes: Node[] = [];
    while (this.#peekNonSpace().kind !== 'end') {
      const node = this.#textOrAction();
      if (typeof node === 'string') {
        this.#depth--;
        return { nodes, ending: node };
      }
      nodes.push(node);
    }
    this.#fail('unexpected EOF');
  }

  #textOrAction(): Node | Ending {
    const token = this.#takeNonSpace();
    if (token.kind === 'text') return { kind: 'text', text: token.text };
    if (token.kind === 'left') return this.#action();
    this.#unexpected(token, 'input');
  }

  #action(): Node | Ending {
    const token = this.#takeNonSpace();
    if (token.kind === 'keyword') {
      switch (token.text) {
        case 'if':
        case 'with':
        case 'range':
          return this.#control(token.text);
        case 'else':
          return this.#elseAction();
        case 'end':
          this.#expect('right', 'end');
          return 'end';
        case 'break':
        case 'continue':
          return this.#jump(token.text);
        case 'template':
          return this.#templateAction();
        case 'block':
          return this.#blockAction();
      }
    }
    this.#next--;
    const pipeline = this.#pipeline('command', 'right');
    // A variable made by an action lives on to the end of the list that it stands in.
    return { kind: 'action', pipeline };
  }

  #elseAction(): Ending {
    const token = this.#peekNonSpace();
    if (token.kind === 'keyword' && (token.text === 'if' || token.text === 'with')) return 'else';
    this.#expect('right', 'else');
    return 'else';
  }

  #jump(kind: 'break' | 'continue'): Node {
    const token = this.#takeNonSpace();
    if (token.kind !== 'right') this.#unexpected(token, `{{${kind}}}`);
    if (this.#rangeDepth === 0) this.#fail(`{{${kind}}} outside {{range}}`);
    return { kind };
  }

  #templateAction(): Node {
    const place = this.#placeOf(this.#peekNonSpace());
    const name = this.#nameIn('template clause');
    let pipeline: Pipeline | undefined;
    if (this.#takeNonSpace().kind !== 'right') {
      this.#next--;
      pipeline = this.#pipeline('template clause', 'right');
    }
    return { kind: 'template', name, pipeline, place };
  }

  #blockAction(): Node {
    const place = this.#placeOf(this.#peekNonSpace());
    const name = this.#nameIn('block clause');
    const pipeline = this.#pipeline('block clause', 'right');
    const outer = this.#variables;
    this.#variables = ['$'];
    const { nodes, ending } = this.#list();
    if (ending !== 'end') this.#fail(`unexpected {{${ending}}} in block clause`);
    this.#variables = outer;
    this.#defined.set(name, nodes);
    return { kind: 'template', name, pipeline, place };
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const count = this.#variables.length;
    const pipeline = this.#pipeline(kind, 'right');
    if (kind === 'range') this.#rangeDepth++;
    const { nodes: body, ending } = this.#list();
    if (kind === 'range') this.#rangeDepth--;
    const otherwise = ending === 'else' ? this.#otherwise(kind) : [];
    this.#variables.length = count;
    return { kind, pipeline, body, otherwise };
  }

  #otherwise(kind: 'if' | 'with' | 'range'): Node[] {
    const token = this.#peekNonSpace();
    if (token.kind === 'keyword' && token.text === kind && kind !== 'range') {
      this.#takeNonSpace();
      this.#enter();
      const node = this.#control(kind);
      this.#depth--;
      return [node];
    }
    const { nodes, ending } = this.#list();
    if (ending !== 'end') this.#fail(`expected end; found {{${ending}}}`);
    return nodes;
  }

  #pipeline(context: string, end: 'right' | 'close'): Pipeline {
    this.#enter();
    const place = this.#placeOf(this.#peekNonSpace());
    const declared = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#takeNonSpace();
      if (token.kind === end) break;
      if (!OPERANDS.has(token.kind)) this.#unexpected(token, context);
      this.#next--;
      commands.push(this.#command());
    }
    this.#depth--;
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    for (const [index, command] of commands.slice(1).entries()) {
      const kind = command.operands[0]!.kind;
      if (['bool', 'dot', 'nil', 'number', 'string'].includes(kind)) {
        this.#fail(`non executable command in pipeline stage ${index + 2}`);
      }
    }
    return { ...declared, commands, place, text: pipelineText(declared, commands) };
  }

  #declarations(context: string): Pick<Pipeline, 'variables' | 'assigns'> {
    const variables: string[] = [];
    for (;;) {
      const begin = this.#next;
      const token = this.#takeNonSpace();
      if (token.kind !== 'variable') {
        this.#next = begin;
        return { variables, assigns: false };
      }
      const next = this.#takeNonSpace();
      if (next.kind === 'assign' || next.kind === 'declare') {
        variables.push(token.text);
        this.#variables.push(token.text);
        return { variables, assigns: next.kind === 'assign' };
      }
      if (next.kind !== 'comma') {
        this.#next = begin;
        return { variables, assigns: false };
      }
      variables.push(token.text);
      this.#variables.push(token.text);
      if (context !== 'range' || variables.length > 1) this.#fail(`too many declarations in ${context}`);
      if (!['variable', 'right', 'close'].includes(this.#peekNonSpace().kind)) {
        this.#fail('range can only initialize variables');
      }
    }
  }

  #command(): Command {
    const place = this.#placeOf(this.#peekNonSpace());
    const operands: Operand[] = [];
    for (;;) {
      this.#peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#take();
      if (token.kind === 'space') continue;
      if (token.kind === 'right' || token.kind === 'close') this.#next--;
      else if (token.kind !== 'pipe') this.#unexpected(token, 'operand');
      break;
    }
    if (operands.length === 0) this.#fail('empty command');
    return { operands, place, text: operands.map(({ text }) => text).join(' ') };
  }

  #operand(): Operand | undefined {
    const base = this.#term();
    if (base === undefined || this.#peek().kind !== 'field') return base;
    const place = this.#placeOf(this.#peek());
    const names: string[] = [];
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1));
    const text = base.text + names.map((name) => `.${name}`).join('');
    switch (base.kind) {
      case 'field':
      case 'variable':
        return { ...base, names: [...base.names, ...names], place, text };
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${goQuote(base.text)}`);
      default:
        return { kind: 'chain', base, names, place, text };
    }
  }

  #term(): Operand | undefined {
    const token = this.#takeNonSpace();
    const { text } = token;
    const common = { place: this.#placeOf(token), text };
    switch (token.kind) {
      case 'identifier':
        if (!this.#functions.has(text)) this.#fail(`function ${goQuote(text)} not defined`);
        return { kind: 'function', name: text, ...common };
      case 'dot':
      case 'nil':
        return { kind: token.kind, ...common };
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${goQuote(text)}`);
        return { kind: 'variable', name: text, names: [], ...common };
      case 'field':
        return { kind: 'field', names: [text.slice(1)], ...common };
      case 'bool':
        return { kind: 'bool', value: text === 'true', ...common };
      case 'char': {
        const point = unquoteChar(text);
        if (point === undefined) this.#fail(`malformed character constant: ${text}`);
        return { kind: 'number', integer: BigInt(point), float: point, ...common };
      }
      case 'number': {
        const number = parseNumber(text);
        if (number === undefined) this.#fail(`illegal number syntax: ${goQuote(text)}`);
        return { kind: 'number', ...number, ...common };
      }
      case 'open': {
        const pipeline = this.#pipeline('parenthesized pipeline', 'close');
        return { kind: 'pipeline', pipeline, place: common.place, text: `(${pipeline.text})` };
      }
      case 'string':
      case 'raw-string':
        return { kind: 'string', value: this.#unquoted(token), ...common };
      default:
        this.#next--;
        return undefined;
    }
  }

  #unquoted(token: Token): string {
    if (token.kind === 'raw-string') return token.text.slice(1, -1).replaceAll('\r', '');
    return unquoteString(token.text) ?? this.#fail('invalid syntax');
  }

  #expect(kind: TokenKind, context: string): Token {
    const token = this.#takeNonSpace();
    if (token.kind !== kind) this.#unexpected(token, context);
    return token;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #peekNonSpace(): Token {
    while (this.#peek().kind === 'space') this.#next++;
    return this.#peek();
  }

  #take(): Token {
    const token = this.#peek();
    this.#next = Math.min(this.#next + 1, this.#tokens.length);
    return token;
  }

  #takeNonSpace(): Token {
    this.#peekNonSpace();
    return this.#take();
  }

  #placeOf(token: Token): Place {
    const begin = this.#input.lastIndexOf('\n', token.offset - 1) + 1;
    return { line: token.line, column: Buffer.byteLength(this.#input.slice(begin, token.offset)) };
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind === 'error') this.#fail(token.text, token);
    this.#fail(`unexpected ${tokenText(token)} in ${context}`, token);
  }

  #fail(problem: string, token: Token = this.#tokens[Math.max(0, this.#next - 1)]!): never {
    // An error of the lexer comes before whatever it led to.
    const last = this.#peek();
    if (last.kind === 'error' && token.kind !== 'error') throw parseError(last.line, last.text);
    throw parseError(token.line, problem);
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) this.#fail(`nested more than ${MAX_DEPTH} levels deep`);
  }
}

function tokenText(token: Token): string {
  if (token.kind === 'end') return 'EOF';
  if (token.kind === 'keyword' || token.kind === 'dot' || token.kind === 'nil') return `<${token.text}>`;
  const letters = Array.from(token.text);
  return letters.length > 10 ? `${goQuote(letters.slice(0, 10).join(''))}...` : goQuote(token.text);
}
