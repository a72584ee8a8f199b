import { formatDuration } from '../dockerfile/duration.ts';
import { GoMap, GoNumber, GoStruct, type GoValue, StringSlice } from './values.ts';

/** The Go type that a part of a JSON document has where Docker decodes it. */
export type Schema =
  | 'string'
  | 'bool'
  | 'int'
  | 'int64'
  | 'duration'
  | 'time'
  | 'empty'
  | { list: 'string' }
  | { map: Schema; type: string }
  | StructSchema;

export interface StructSchema {
  /** Go's name of it: `*container.Config` for one behind a pointer, which may be nil. */
  struct: string;
  /** Go's name, the member's name in JSON, type; in declaration order. */
  fields: readonly (readonly [string, string, Schema])[];
}

/** A JSON document as Docker's client has it: with Go's types, zero values where members are missing. */
export function typedFromJson(value: unknown, schema: Schema): GoValue {
  switch (schema) {
    case 'string':
      return typeof value === 'string' ? value : '';
    case 'bool':
      return value === true;
    case 'int':
      return BigInt(Math.trunc(Number(value ?? 0)));
    case 'int64':
      return new GoNumber('int64', BigInt(Math.trunc(Number(value ?? 0))));
    case 'duration': {
      const nanoseconds = BigInt(Math.trunc(Number(value ?? 0)));
      return new GoNumber('time.Duration', nanoseconds, formatDuration(Number(nanoseconds)));
    }
    case 'time':
      return goTime(String(value ?? '0001-01-01T00:00:00Z'));
    case 'empty':
      return new GoStruct({ typeName: 'struct {}', json: () => ({}) });
  }
  if ('list' in schema) return Array.isArray(value) ? StringSlice.from(value.map(String)) : null;
  if ('map' in schema) {
    if (value === null || typeof value !== 'object') return null;
    const members = Object.entries(value).map(([key, member]): [string, GoValue] => [
      key,
      typedFromJson(member, schema.map),
    ]);
    return new GoMap(members, typedFromJson(undefined, schema.map), schema.type);
  }
  const { struct, fields } = schema;
  if (struct.startsWith('*') && (value === null || value === undefined)) return null;
  const members = (value ?? {}) as Record<string, unknown>;
  return new GoStruct({
    typeName: struct,
    fields: fields.map(([name, member, type]): [string, GoValue] => [
      name,
      typedFromJson(members[member], type),
    ]),
    json: () => value ?? {},
  });
}

/** A document as a struct with the members of its objects as fields; numbers are Go's int. */
export function structFromJson(typeName: string, document: Readonly<Record<string, unknown>>): GoStruct {
  return new GoStruct({
    typeName,
    fields: Object.entries(document).map(([name, value]) => [name, fieldFromJson(name, value)]),
    json: () => document,
  });
}

function fieldFromJson(name: string, value: unknown): GoValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) {
    return value.every((item) => typeof item === 'string')
      ? StringSlice.from(value)
      : value.map((item) => fieldFromJson(name, item));
  }
  if (typeof value === 'object') return structFromJson(name, value as Record<string, unknown>);
  return typeof value === 'boolean' ? value : String(value);
}

/** time.Time: printed as `2006-01-02 15:04:05.999 +0000 UTC`. */
function goTime(text: string): GoStruct {
  const [, date = '', clock = '', fraction = '', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const offset = zone === 'Z' ? '+0000 UTC' : `${zone.replace(':', '')} ${zone.replace(':', '')}`;
  const milliseconds = Date.parse(text);
  return new GoStruct({
    typeName: 'time.Time',
    methods: [
      ['IsZero', () => text.startsWith('0001-01-01T00:00:00')],
      ['Unix', () => new GoNumber('int64', BigInt(Math.floor(milliseconds / 1000)))],
      ['Year', () => BigInt(text.slice(0, 4))],
      ['String', () => `${date} ${clock}${fraction} ${offset}`],
    ],
    text: `${date} ${clock}${fraction} ${offset}`,
    json: () => text,
  });
}
