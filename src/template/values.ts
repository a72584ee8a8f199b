/**
 * What a template works on, with the distinctions of Go's types that show: `bigint` for every integer, `number` for
 * every float, arrays for slices; `null` is a nil that is there, `undefined` a value that is not (`<no value>`).
 */
export type GoValue =
  | string
  | boolean
  | bigint
  | number
  | null
  | undefined
  | readonly GoValue[]
  | GoNumber
  | GoMap
  | GoStruct;

/** A slice of Go's strings; other arrays are slices of `any`. */
export class StringSlice extends Array<string> {}

/** A number of a type with a name, such as int64 or time.Duration, or a json.Number, which is a string to Go. */
export class GoNumber {
  readonly kind = 'number';
  readonly typeName: string;
  /** What it is in comparisons: digits for json.Number. */
  readonly value: bigint | string;
  /** What `print` shows. */
  readonly text: string;

  constructor(typeName: string, value: bigint | string, text = String(value)) {
    this.typeName = typeName;
    this.value = value;
    this.text = text;
  }
}

/** A map with string keys. */
export class GoMap {
  readonly kind = 'map';
  readonly entries: ReadonlyMap<string, GoValue>;
  /** What a key that is not there gives: undefined for `any`, `''` for strings. */
  readonly zero: GoValue;
  /** As Go names it in messages. */
  readonly typeName: string;

  constructor(entries: Iterable<[string, GoValue]>, zero: GoValue = undefined, typeName?: string) {
    // Go prints and ranges over maps in the order of their keys' bytes.
    this.entries = new Map([...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    this.zero = zero;
    this.typeName = typeName ?? (zero === undefined ? 'map[string]interface {}' : 'map[string]string');
  }
}

/** A struct: fields in declaration order, and methods without arguments. */
export class GoStruct {
  readonly kind = 'struct';
  /** As Go names it in messages: `*formatter.imageContext`. */
  readonly typeName: string;
  readonly fields: ReadonlyMap<string, GoValue>;
  readonly methods: ReadonlyMap<string, () => GoValue>;
  /** What `json` writes; fields by their names when absent. */
  readonly json: (() => unknown) | undefined;
  /** What `print` shows of a type that knows better than its fields. */
  readonly text: string | undefined;

  constructor(options: {
    typeName: string;
    fields?: Iterable<[string, GoValue]>;
    methods?: Iterable<[string, () => GoValue]>;
    json?: () => unknown;
    text?: string;
  }) {
    this.typeName = options.typeName;
    this.fields = new Map(options.fields ?? []);
    this.methods = new Map(options.methods ?? []);
    this.json = options.json;
    this.text = options.text;
  }
}

/** A document without types, as Go's encoding/json decodes it into an `any` with numbers as json.Number. */
export function fromJson(value: unknown): GoValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return new GoNumber('json.Number', String(value));
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value;
  if (Array.isArray(value)) return value.map(fromJson);
  return new GoMap(Object.entries(value).map(([key, member]) => [key, fromJson(member)]));
}

/** The other way: what `JSON.stringify` takes. */
export function toJson(value: GoValue): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint') {
    const number = Number(value);
    // JSON.rawJSON keeps digits that a double would lose.
    return Number.isSafeInteger(number) ? number : rawJson(value.toString());
  }
  if (isSlice(value)) return Array.from(value, toJson);
  if (value instanceof GoNumber) return rawJson(String(value.value));
  if (value instanceof GoMap) {
    return Object.fromEntries([...value.entries].map(([key, member]) => [key, toJson(member)]));
  }
  if (value instanceof GoStruct) {
    if (value.json !== undefined) return value.json();
    return Object.fromEntries([...value.fields].map(([key, member]) => [key, toJson(member)]));
  }
  return value;
}

export function isSlice(value: GoValue): value is readonly GoValue[] {
  return Array.isArray(value);
}

/** Whether `if`, `with`, `and`, `or` and `not` take a value for true. */
export function isTrue(value: GoValue): boolean {
  if (value === null || value === undefined) return false;
  if (isSlice(value)) return value.length > 0;
  if (value instanceof GoMap) return value.entries.size > 0;
  if (value instanceof GoStruct) return true;
  if (value instanceof GoNumber)
    return typeof value.value === 'string' ? value.value !== '' : value.value !== 0n;
  // A number that is NaN differs from zero, in Go.
  return typeof value === 'number' ? value !== 0 : Boolean(value);
}

/** Go's name of a value's type, for messages and `%T`. */
export function typeName(value: GoValue): string {
  if (value === null || value === undefined) return '<nil>';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (isSlice(value)) {
    return value instanceof StringSlice ? '[]string' : '[]interface {}';
  }
  return value.typeName;
}

/** Without a type's name: what comparisons and formats work on. */
export function plain(value: GoValue): GoValue {
  return value instanceof GoNumber ? value.value : value;
}

/** A value that JSON.stringify writes as `text`, which is JSON of something that is no object. */
export function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
