import { CallError, equalsAny, less, lessOrEqual } from './compare.ts';
import { jsonText, sprint, sprintln } from './format.ts';
import { sprintf } from './sprintf.ts';
import { GoMap, GoNumber, type GoValue, isSlice, isTrue, plain, StringSlice, typeName } from './values.ts';

/** A function of templates. `least` and `most` are what Go's reflection would check before the call. */
export interface TemplateFunction {
  least: number;
  most?: number;
  /** `texts` are the arguments as the template has them, without a piped one. */
  call(args: readonly GoValue[], texts: readonly string[]): GoValue;
}

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\ufffd',
};

/** The functions of Go's text/template, and those that Docker adds. `and` and `or` are the evaluator's. */
export const functions: Readonly<Record<string, TemplateFunction>> = {
  not: { least: 1, most: 1, call: ([value]) => !isTrue(value) },
  len: { least: 1, most: 1, call: ([value]) => lengthOf(value) },
  index: { least: 1, call: ([value, ...keys]) => keys.reduce(indexed, value) },
  slice: { least: 1, call: ([value, ...bounds]) => sliced(value, bounds) },
  print: { least: 0, call: sprint },
  println: { least: 0, call: sprintln },
  printf: { least: 1, call: ([format, ...values]) => sprintf(text(format), values) },
  html: { least: 0, call: (args) => sprintPlain(args).replace(/["'&<>\0]/g, (letter) => HTML[letter]!) },
  urlquery: {
    least: 0,
    call: (args) =>
      encodeURIComponent(sprintPlain(args))
        .replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
        .replaceAll('%20', '+'),
  },
  js: { least: 0, call: (args) => escapeJs(sprintPlain(args)) },
  call: {
    least: 1,
    call: ([value], [name]) => {
      throw new CallError(
        value === null || value === undefined
          ? 'call of nil'
          : `non-function ${name ?? 'value'} of type ${typeName(value)}`,
      );
    },
  },
  eq: { least: 1, call: ([first, ...others]) => equalsAny(first, others) },
  ne: { least: 2, most: 2, call: ([a, b]) => !equalsAny(a, [b]) },
  lt: { least: 2, most: 2, call: ([a, b]) => less(a, b) },
  le: { least: 2, most: 2, call: ([a, b]) => lessOrEqual(a, b) },
  gt: { least: 2, most: 2, call: ([a, b]) => !lessOrEqual(a, b) },
  ge: { least: 2, most: 2, call: ([a, b]) => !less(a, b) },
  json: { least: 1, most: 1, call: ([value]) => jsonText(value) },
  split: {
    least: 2,
    most: 2,
    call: ([value, separator]) => {
      const by = text(separator);
      return StringSlice.from(by === '' ? Array.from(text(value)) : text(value).split(by));
    },
  },
  join: {
    least: 2,
    most: 2,
    call: ([items, separator]) => strings(items).join(text(separator)),
  },
  title: {
    least: 1,
    most: 1,
    call: ([value]) =>
      text(value).replace(
        /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
        (_, before, letter) => before + letter.toUpperCase(),
      ),
  },
  lower: { least: 1, most: 1, call: ([value]) => text(value).toLowerCase() },
  upper: { least: 1, most: 1, call: ([value]) => text(value).toUpperCase() },
  pad: {
    least: 3,
    most: 3,
    call: ([value, before, after]) => {
      const source = text(value);
      return source === '' ? '' : `${' '.repeat(count(before))}${source}${' '.repeat(count(after))}`;
    },
  },
  truncate: {
    least: 2,
    most: 2,
    call: ([value, length]) => Array.from(text(value)).slice(0, count(length)).join(''),
  },
};

const MAX_COUNT = 1_000_000;

function count(value: GoValue): number {
  if (typeof value !== 'bigint') throw new WrongType('int', value);
  if (value < 0n) throw new CallError('negative count');
  return Number(value > BigInt(MAX_COUNT) ? BigInt(MAX_COUNT) : value);
}

/** An argument of another type than the function takes; Go finds that before the call. */
export class WrongType extends Error {
  readonly wanted: string;
  readonly value: GoValue;

  constructor(wanted: string, value: GoValue) {
    super(`wrong type for value; expected ${wanted}; got ${typeName(value)}`);
    this.wanted = wanted;
    this.value = value;
  }
}

function text(value: GoValue): string {
  if (typeof value !== 'string') throw new WrongType('string', value);
  return value;
}

function strings(value: GoValue): string[] {
  if (value === null || value === undefined) return [];
  if (!(value instanceof StringSlice)) {
    throw new WrongType('[]string', value);
  }
  return [...value];
}

function lengthOf(given: GoValue): GoValue {
  const value = given instanceof GoNumber && typeof given.value === 'string' ? given.value : given;
  if (value === null || value === undefined)
    throw new CallError('reflect: call of reflect.Value.Type on zero Value');
  if (typeof value === 'string') return BigInt(Buffer.byteLength(value));
  if (isSlice(value)) return BigInt(value.length);
  if (value instanceof GoMap) return BigInt(value.entries.size);
  throw new CallError(`len of type ${typeName(value)}`);
}

function indexed(given: GoValue, key: GoValue): GoValue {
  const value = given instanceof GoNumber && typeof given.value === 'string' ? given.value : given;
  if (value === null || value === undefined) throw new CallError('index of untyped nil');
  if (value instanceof GoMap) {
    if (key === null || key === undefined) throw new CallError('value is nil; should be of type string');
    if (typeof key !== 'string') {
      throw new CallError(`value has type ${typeName(key)}; should be string`);
    }
    return value.entries.has(key) ? value.entries.get(key) : value.zero;
  }
  if (isSlice(value) || typeof value === 'string') {
    const bytes = typeof value === 'string' ? Buffer.from(value) : undefined;
    const at = position(key, bytes?.length ?? value.length);
    return bytes === undefined ? (value as readonly GoValue[])[at] : BigInt(bytes[at]!);
  }
  throw new CallError(`can't index item of type ${typeName(value)}`);
}

function position(given: GoValue, length: number, inclusive = false): number {
  const key = plain(given);
  if (key === null || key === undefined) throw new CallError('cannot index slice/array with nil');
  if (typeof key !== 'bigint') throw new CallError(`cannot index slice/array with type ${typeName(key)}`);
  if (key < 0n || key > BigInt(length) || (!inclusive && key === BigInt(length))) {
    throw new CallError(`index out of range: ${key}`);
  }
  return Number(key);
}

function sliced(value: GoValue, bounds: readonly GoValue[]): GoValue {
  if (value === null || value === undefined) throw new CallError('slice of untyped nil');
  if (bounds.length > 3) throw new CallError(`too many slice indexes: ${bounds.length}`);
  if (typeof value !== 'string' && !isSlice(value)) {
    throw new CallError(`can't slice item of type ${typeName(value)}`);
  }
  if (typeof value === 'string' && bounds.length === 3) throw new CallError('cannot 3-index slice a string');
  const bytes = typeof value === 'string' ? Buffer.from(value) : undefined;
  const length = bytes?.length ?? value.length;
  const [from = 0, to = length] = bounds.map((bound) => position(bound, length, true));
  if (from > to) throw new CallError(`invalid slice index: ${from} > ${to}`);
  return bytes === undefined ? value.slice(from, to) : bytes.subarray(from, to).toString();
}

/** What `html`, `js` and `urlquery` work on: one string as it is, else as `print` shows it, but for what is nil. */
function sprintPlain(args: readonly GoValue[]): string {
  if (args.length === 1 && typeof args[0] === 'string') return args[0];
  return sprint(args.map((each) => (each === null || each === undefined ? '<no value>' : each)));
}

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

function escapeJs(source: string): string {
  return source.replace(/[\\'"<>&=\p{C}]/gu, (letter) => {
    const point = letter.codePointAt(0) ?? 0;
    return JS[letter] ?? `\\u${point.toString(16).toUpperCase().padStart(4, '0')}`;
  });
}
