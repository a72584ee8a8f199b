import { goQuote } from '../dockerfile/go-text.ts';
import type { Command, Node, Operand, Pipeline } from './nodes.ts';
import { parseNumber } from './number.ts';
import { pipelineText } from './print-nodes.ts';
import { TokenReader } from './token-reader.ts';
import type { TokenKind } from './tokens.ts';
import { unquoteChar } from './unquote.ts';

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
  readonly #reader: TokenReader;
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, Node[]>();
  #variables: string[] = ['$'];
  #rangeDepth = 0;
  #depth = 0;

  constructor(input: string, functions: ReadonlySet<string>) {
    this.#reader = new TokenReader(input);
    this.#functions = functions;
  }

  template(): Template {
    const body: Node[] = [];
    while (this.#reader.peek().kind !== 'end') {
      if (this.#reader.startsAction('define')) {
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if (typeof node === 'string') this.#reader.fail(`unexpected {{${node}}}`);
      body.push(node);
    }
    return { body, defined: this.#defined };
  }

  #definition(): void {
    this.#reader.take();
    this.#reader.takeNonSpace();
    const name = this.#nameIn('define clause');
    this.#reader.expect('right', 'define clause');
    const outer = this.#variables;
    this.#variables = ['$'];
    const { nodes, ending } = this.#list();
    if (ending !== 'end') this.#reader.fail(`unexpected {{${ending}}} in define clause`);
    this.#variables = outer;
    this.#define(name, nodes);
  }

  /** What is empty but for blanks gives way to another of its name, and none that is not may be there twice. */
  #define(name: string, nodes: Node[]): void {
    const earlier = this.#defined.get(name);
    if (earlier === undefined || isBlank(earlier)) this.#defined.set(name, nodes);
    else if (!isBlank(nodes)) this.#reader.fail(`template: multiple definition of template ${goQuote(name)}`);
  }

  #nameIn(context: string): string {
    const token = this.#reader.takeNonSpace();
    if (token.kind !== 'string' && token.kind !== 'raw-string') this.#reader.unexpected(token, context);
    return this.#reader.unquoted(token);
  }

  #list(): { nodes: Node[]; ending: Ending } {
    this.#enter();
    const nodes: Node[] = [];
    while (this.#reader.peekNonSpace().kind !== 'end') {
      const node = this.#textOrAction();
      if (typeof node === 'string') {
        this.#depth--;
        return { nodes, ending: node };
      }
      nodes.push(node);
    }
    this.#reader.fail('unexpected EOF');
  }

  #textOrAction(): Node | Ending {
    const token = this.#reader.takeNonSpace();
    if (token.kind === 'text') return { kind: 'text', text: token.text };
    if (token.kind === 'left') return this.#action();
    this.#reader.unexpected(token, 'input');
  }

  #action(): Node | Ending {
    const token = this.#reader.takeNonSpace();
    if (token.kind === 'keyword') {
      switch (token.text) {
        case 'if':
        case 'with':
        case 'range':
          return this.#control(token.text);
        case 'else':
          return this.#elseAction();
        case 'end':
          this.#reader.expect('right', 'end');
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
    this.#reader.next--;
    const pipeline = this.#pipeline('command', 'right');
    // A variable made by an action lives on to the end of the list that it stands in.
    return { kind: 'action', pipeline };
  }

  #elseAction(): Ending {
    const token = this.#reader.peekNonSpace();
    if (token.kind === 'keyword' && (token.text === 'if' || token.text === 'with')) return 'else';
    this.#reader.expect('right', 'else');
    return 'else';
  }

  #jump(kind: 'break' | 'continue'): Node {
    const token = this.#reader.takeNonSpace();
    if (token.kind !== 'right') this.#reader.unexpected(token, `{{${kind}}}`);
    if (this.#rangeDepth === 0) this.#reader.fail(`{{${kind}}} outside {{range}}`);
    return { kind };
  }

  #templateAction(): Node {
    const place = this.#reader.placeOf(this.#reader.peekNonSpace());
    const name = this.#nameIn('template clause');
    let pipeline: Pipeline | undefined;
    if (this.#reader.takeNonSpace().kind !== 'right') {
      this.#reader.next--;
      pipeline = this.#pipeline('template clause', 'right');
    }
    return { kind: 'template', name, pipeline, place };
  }

  #blockAction(): Node {
    const place = this.#reader.placeOf(this.#reader.peekNonSpace());
    const name = this.#nameIn('block clause');
    const pipeline = this.#pipeline('block clause', 'right');
    const outer = this.#variables;
    this.#variables = ['$'];
    const { nodes, ending } = this.#list();
    if (ending !== 'end') this.#reader.fail(`unexpected {{${ending}}} in block clause`);
    this.#variables = outer;
    this.#define(name, nodes);
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
    const token = this.#reader.peekNonSpace();
    if (token.kind === 'keyword' && token.text === kind && kind !== 'range') {
      this.#reader.takeNonSpace();
      this.#enter();
      const node = this.#control(kind);
      this.#depth--;
      return [node];
    }
    const { nodes, ending } = this.#list();
    if (ending !== 'end') this.#reader.fail(`expected end; found {{${ending}}}`);
    return nodes;
  }

  #pipeline(context: string, end: 'right' | 'close'): Pipeline {
    this.#enter();
    const place = this.#reader.placeOf(this.#reader.peekNonSpace());
    const declared = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#reader.takeNonSpace();
      if (token.kind === end) break;
      if (!OPERANDS.has(token.kind)) this.#reader.unexpected(token, context);
      this.#reader.next--;
      commands.push(this.#command());
    }
    this.#depth--;
    if (commands.length === 0) this.#reader.fail(`missing value for ${context}`);
    for (const [index, command] of commands.slice(1).entries()) {
      const kind = command.operands[0]!.kind;
      if (['bool', 'dot', 'nil', 'number', 'string'].includes(kind)) {
        this.#reader.fail(`non executable command in pipeline stage ${index + 2}`);
      }
    }
    return { ...declared, commands, place, text: pipelineText(declared, commands) };
  }

  #declarations(context: string): Pick<Pipeline, 'variables' | 'assigns'> {
    const variables: string[] = [];
    for (;;) {
      const begin = this.#reader.next;
      const token = this.#reader.takeNonSpace();
      if (token.kind !== 'variable') {
        this.#reader.next = begin;
        return { variables, assigns: false };
      }
      const next = this.#reader.takeNonSpace();
      if (next.kind === 'assign' || next.kind === 'declare') {
        variables.push(token.text);
        this.#variables.push(token.text);
        return { variables, assigns: next.kind === 'assign' };
      }
      if (next.kind !== 'comma') {
        this.#reader.next = begin;
        return { variables, assigns: false };
      }
      variables.push(token.text);
      this.#variables.push(token.text);
      if (context !== 'range' || variables.length > 1)
        this.#reader.fail(`too many declarations in ${context}`);
      if (!['variable', 'right', 'close'].includes(this.#reader.peekNonSpace().kind)) {
        this.#reader.fail('range can only initialize variables');
      }
    }
  }

  #command(): Command {
    const place = this.#reader.placeOf(this.#reader.peekNonSpace());
    const operands: Operand[] = [];
    for (;;) {
      this.#reader.peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) operands.push(operand);
      const token = this.#reader.take();
      if (token.kind === 'space') continue;
      if (token.kind === 'right' || token.kind === 'close') this.#reader.next--;
      else if (token.kind !== 'pipe') this.#reader.unexpected(token, 'operand');
      break;
    }
    if (operands.length === 0) this.#reader.fail('empty command');
    return { operands, place, text: operands.map(({ text }) => text).join(' ') };
  }

  #operand(): Operand | undefined {
    const base = this.#term();
    if (base === undefined || this.#reader.peek().kind !== 'field') return base;
    const place = this.#reader.placeOf(this.#reader.peek());
    const names: string[] = [];
    while (this.#reader.peek().kind === 'field') names.push(this.#reader.take().text.slice(1));
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
        return this.#reader.fail(`unexpected . after term ${goQuote(base.text)}`);
      default:
        return { kind: 'chain', base, names, place, text };
    }
  }

  #term(): Operand | undefined {
    const token = this.#reader.takeNonSpace();
    const { text } = token;
    const common = { place: this.#reader.placeOf(token), text };
    switch (token.kind) {
      case 'identifier':
        if (!this.#functions.has(text)) this.#reader.fail(`function ${goQuote(text)} not defined`);
        return { kind: 'function', name: text, ...common };
      case 'dot':
      case 'nil':
        return { kind: token.kind, ...common };
      case 'variable':
        if (!this.#variables.includes(text)) this.#reader.fail(`undefined variable ${goQuote(text)}`);
        return { kind: 'variable', name: text, names: [], ...common };
      case 'field':
        return { kind: 'field', names: [text.slice(1)], ...common };
      case 'bool':
        return { kind: 'bool', value: text === 'true', ...common };
      case 'char': {
        const point = unquoteChar(text);
        if (point === undefined) this.#reader.fail(`malformed character constant: ${text}`);
        return { kind: 'number', integer: BigInt(point), float: point, ...common };
      }
      case 'number': {
        const number = parseNumber(text);
        if (number === undefined) this.#reader.fail(`illegal number syntax: ${goQuote(text)}`);
        return { kind: 'number', ...number, ...common };
      }
      case 'open': {
        const pipeline = this.#pipeline('parenthesized pipeline', 'close');
        return { kind: 'pipeline', pipeline, place: common.place, text: `(${pipeline.text})` };
      }
      case 'string':
      case 'raw-string':
        return { kind: 'string', value: this.#reader.unquoted(token), ...common };
      default:
        this.#reader.next--;
        return undefined;
    }
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) this.#reader.fail(`nested more than ${MAX_DEPTH} levels deep`);
  }
}

function isBlank(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.text.trim() === '');
}
