import { goQuote } from '../dockerfile/go-text.ts';
import { SlipwayError } from '../errors/index.ts';
import { CallError } from './compare.ts';
import { showValue } from './format.ts';
import { type TemplateFunction, WrongType } from './functions.ts';
import type { Command, Node, Operand, Pipeline, Place } from './nodes.ts';
import type { Template } from './parse.ts';
import { GoMap, GoStruct, type GoValue, isSlice, isTrue, plain, typeName } from './values.ts';

export interface EvaluateOptions {
  functions: Readonly<Record<string, TemplateFunction>>;
  /** A key that a map does not have is an error, as with Go's `missingkey=error`. */
  strictKeys?: boolean;
}

/** Go's own limit of nested templates is its stack's. */
const MAX_NESTING = 1000;
/** Bytes that one template may print. */
const MAX_OUTPUT = 64 << 20;

/**
 * Evaluates a template on a value and gives the text, as Go's text/template does.
 *
 * @throws SlipwayError `TEMPLATE_FAILED` in Go's words, with line and column.
 */
export function evaluate(template: Template, value: GoValue, options: EvaluateOptions): string {
  return new Evaluation(template, options).run(value);
}

class Jump extends Error {
  readonly kind: 'break' | 'continue';

  constructor(kind: 'break' | 'continue') {
    super(kind);
    this.kind = kind;
  }
}

class Evaluation {
  readonly #template: Template;
  readonly #options: EvaluateOptions;
  #output = '';
  #variables: { name: string; value: GoValue }[] = [];
  #depth = 0;
  /** Of the template that is running now, for messages. */
  #name = '';

  constructor(template: Template, options: EvaluateOptions) {
    this.#template = template;
    this.#options = options;
  }

  run(value: GoValue): string {
    this.#variables = [{ name: '$', value }];
    this.#walk(this.#template.body, value);
    return this.#output;
  }

  #walk(nodes: readonly Node[], dot: GoValue): void {
    for (const node of nodes) this.#node(node, dot);
  }

  #node(node: Node, dot: GoValue): void {
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return;
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) {
          this.#write(value === undefined || value === null ? '<no value>' : showValue(value));
        }
        return;
      }
      case 'if':
      case 'with': {
        const mark = this.#variables.length;
        const value = this.#pipeline(node.pipeline, dot);
        if (isTrue(value)) this.#walk(node.body, node.kind === 'with' ? value : dot);
        else this.#walk(node.otherwise, dot);
        this.#variables.length = mark;
        return;
      }
      case 'range':
        this.#range(node, dot);
        return;
      case 'template':
        this.#call(node, dot);
        return;
      default:
        throw new Jump(node.kind);
    }
  }

  #write(text: string): void {
    this.#output += text;
    if (this.#output.length > MAX_OUTPUT) {
      throw new SlipwayError('exhausted', `a template printed more than ${MAX_OUTPUT >> 20} MiB`, {
        code: 'TEMPLATE_OUTPUT',
      });
    }
  }

  #range(node: Extract<Node, { kind: 'range' }>, dot: GoValue): void {
    const { pipeline, body, otherwise } = node;
    const mark = this.#variables.length;
    // The pipeline's own variables get the elements, one after the other.
    const list = this.#pipeline({ ...pipeline, variables: [] }, dot);
    let any = false;
    for (const [key, element] of this.#elements(list, pipeline)) {
      any = true;
      this.#bindRange(pipeline, key, element);
      try {
        this.#walk(body, element);
      } catch (error) {
        if (!(error instanceof Jump)) throw error;
        if (error.kind === 'break') break;
      } finally {
        this.#variables.length = mark;
      }
    }
    this.#variables.length = mark;
    if (!any) this.#walk(otherwise, dot);
  }

  #bindRange({ variables, assigns }: Pipeline, key: GoValue, element: GoValue): void {
    const values = variables.length === 2 ? [key, element] : [element];
    for (const [index, name] of variables.entries()) {
      if (assigns) this.#assign(name, values[index]);
      else this.#variables.push({ name, value: values[index] });
    }
  }

  *#elements(list: GoValue, { place, text, variables, commands }: Pipeline): Iterable<[GoValue, GoValue]> {
    if (list === null || list === undefined) return;
    const number = plain(list);
    if (isSlice(list)) for (const [index, item] of list.entries()) yield [BigInt(index), item];
    else if (list instanceof GoMap) for (const [key, item] of list.entries) yield [key, item];
    else if (typeof number === 'bigint') {
      if (variables.length > 1) {
        const last = commands.at(-1)!;
        this.#fail(
          last.place,
          last.text,
          `can't use ${showValue(list)} to iterate over more than one variable`,
        );
      }
      for (let i = 0n; i < number; i++) yield [i, i];
    } else this.#fail(place, text, `range can't iterate over ${showValue(list)}`);
  }

  #call(node: Extract<Node, { kind: 'template' }>, dot: GoValue): void {
    const { name, pipeline, place } = node;
    const body = this.#template.defined.get(name);
    const text = `{{template ${goQuote(name)}${pipeline === undefined ? '' : ` ${pipeline.text}`}}}`;
    if (body === undefined) this.#fail(place, text, `template ${goQuote(name)} not defined`);
    if (this.#depth >= MAX_NESTING) {
      this.#fail(place, text, `exceeded maximum template depth (${MAX_NESTING})`);
    }
    const value = pipeline === undefined ? undefined : this.#pipeline(pipeline, dot);
    const outer = { variables: this.#variables, name: this.#name };
    this.#variables = [{ name: '$', value }];
    this.#name = name;
    this.#depth++;
    this.#walk(body, value);
    this.#depth--;
    this.#variables = outer.variables;
    this.#name = outer.name;
  }

  #pipeline(pipeline: Pipeline, dot: GoValue): GoValue {
    let value: GoValue;
    let first = true;
    for (const command of pipeline.commands) {
      value = this.#command(command, dot, first ? [] : [value]);
      first = false;
    }
    for (const name of pipeline.variables) {
      if (pipeline.assigns) this.#assign(name, value);
      else this.#variables.push({ name, value });
    }
    return value;
  }

  #assign(name: string, value: GoValue): void {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable !== undefined) variable.value = value;
  }

  #command({ operands }: Command, dot: GoValue, final: readonly GoValue[]): GoValue {
    const [first, ...rest] = operands as [Operand, ...Operand[]];
    const hasArguments = rest.length + final.length > 0;
    switch (first.kind) {
      case 'function':
        return this.#function(first, rest, dot, final);
      case 'field':
        return this.#fields(dot, first.names, first, hasArguments);
      case 'variable': {
        const value = this.#variable(first.name);
        if (first.names.length > 0) return this.#fields(value, first.names, first, hasArguments);
        break;
      }
      case 'chain':
        return this.#fields(this.#operand(first.base, dot), first.names, first, hasArguments);
      case 'nil':
        if (!hasArguments) this.#fail(first.place, first.text, 'nil is not a command');
        break;
    }
    if (hasArguments) {
      this.#fail(first.place, first.text, `can't give argument to non-function ${first.text}`);
    }
    return this.#operand(first, dot);
  }

  #operand(operand: Operand, dot: GoValue): GoValue {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'bool':
      case 'string':
        return operand.value;
      case 'number':
        return operand.integer ?? operand.float;
      case 'function':
        return this.#function(operand, [], dot, []);
      case 'field':
        return this.#fields(dot, operand.names, operand, false);
      case 'variable':
        return this.#fields(this.#variable(operand.name), operand.names, operand, false);
      case 'chain':
        return this.#fields(this.#operand(operand.base, dot), operand.names, operand, false);
      case 'pipeline':
        return this.#pipeline(operand.pipeline, dot);
    }
  }

  #variable(name: string): GoValue {
    return this.#variables.findLast((variable) => variable.name === name)?.value;
  }

  #fields(receiver: GoValue, names: readonly string[], node: Operand, hasArguments: boolean): GoValue {
    let value = receiver;
    for (const [index, name] of names.entries()) {
      value = this.#field(value, name, node, hasArguments && index === names.length - 1);
    }
    return value;
  }

  #field(receiver: GoValue, name: string, { place, text }: Operand, hasArguments: boolean): GoValue {
    if (receiver === undefined) {
      if (this.#options.strictKeys) {
        this.#fail(place, text, `nil data; no entry for key ${goQuote(name)}`);
      }
      return undefined;
    }
    if (receiver === null) this.#fail(place, text, `nil pointer evaluating interface {}.${name}`);
    if (receiver instanceof GoStruct) {
      const method = receiver.methods.get(name);
      if (method !== undefined) {
        if (hasArguments) this.#fail(place, text, `wrong number of args for ${name}: want 0 got 1`);
        return method();
      }
      if (receiver.fields.has(name)) {
        if (hasArguments) {
          this.#fail(place, text, `${name} has arguments but cannot be invoked as function`);
        }
        return receiver.fields.get(name);
      }
    }
    if (receiver instanceof GoMap) {
      if (hasArguments) this.#fail(place, text, `${name} is not a method but has arguments`);
      if (receiver.entries.has(name)) return receiver.entries.get(name);
      if (this.#options.strictKeys) this.#fail(place, text, `map has no entry for key ${goQuote(name)}`);
      return undefined;
    }
    // What an untyped document holds is an `any` to Go.
    const type =
      this.#options.strictKeys && !(receiver instanceof GoStruct) ? 'interface {}' : typeName(receiver);
    this.#fail(place, text, `can't evaluate field ${name} in type ${type}`);
  }

  #function(
    operand: Extract<Operand, { kind: 'function' }>,
    operands: readonly Operand[],
    dot: GoValue,
    final: readonly GoValue[],
  ): GoValue {
    const { name, place, text } = operand;
    if (name === 'and' || name === 'or') return this.#logic(operand, operands, dot, final);
    const callee = this.#options.functions[name]!;
    const number = operands.length + final.length;
    if (number < callee.least || number > (callee.most ?? number)) {
      const wanted = callee.most === undefined ? `at least ${callee.least}` : String(callee.least);
      this.#fail(place, text, `wrong number of args for ${name}: want ${wanted} got ${number}`);
    }
    const values = [...operands.map((argument) => this.#operand(argument, dot)), ...final];
    try {
      return callee.call(
        values,
        operands.map((argument) => argument.text),
      );
    } catch (error) {
      const command = [text, ...operands.map((argument) => argument.text)].join(' ');
      if (error instanceof CallError) this.#fail(place, command, `error calling ${name}: ${error.message}`);
      if (!(error instanceof WrongType)) throw error;
      this.#wrongType(error, values, operands, operand);
    }
  }

  /** Go complains of an argument where that stands, and of a piped value where the function does. */
  #wrongType(
    error: WrongType,
    values: readonly GoValue[],
    operands: readonly Operand[],
    callee: Operand,
  ): never {
    const index = values.indexOf(error.value);
    const argument = operands[index] ?? callee;
    const { place, text } = argument;
    if (argument.kind === 'number' || argument.kind === 'string' || argument.kind === 'bool') {
      if (error.wanted.startsWith('[]')) {
        this.#fail(place, text, `can't handle ${text} for arg of type ${error.wanted}`);
      }
      const wanted = error.wanted === 'int' ? 'integer' : error.wanted;
      this.#fail(place, text, `expected ${wanted}; found ${text}`);
    }
    if (error.value === null || error.value === undefined) {
      this.#fail(place, text, `invalid value; expected ${error.wanted}`);
    }
    this.#fail(place, text, error.message);
  }

  /** `and` and `or` evaluate only what they need. */
  #logic(
    { name, place, text }: Extract<Operand, { kind: 'function' }>,
    operands: readonly Operand[],
    dot: GoValue,
    final: readonly GoValue[],
  ): GoValue {
    if (operands.length + final.length === 0) {
      this.#fail(place, text, `wrong number of args for ${name}: want at least 1 got 0`);
    }
    let value: GoValue;
    for (const argument of operands) {
      value = this.#operand(argument, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final.length > 0 ? final[0] : value;
  }

  #fail({ line, column }: Place, text: string, problem: string): never {
    throw new SlipwayError(
      'usage',
      `template parsing error: template: ${this.#name}:${line}:${column}: executing ${goQuote(this.#name)} at <${text}>: ${problem}`,
      { code: 'TEMPLATE_FAILED' },
    );
  }
}
