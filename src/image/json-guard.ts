import { SlipwayError } from '../errors/index.ts';

/** Largest JSON document of an image that is read, in bytes. Registries refuse manifests over 4 MiB. */
export const MAX_DOCUMENT_SIZE = 8 << 20;
/** Most members of one list or object in a document of an image. */
const MAX_MEMBERS = 100_000;

/** A JSON object whose members nobody has looked at yet. */
export type JsonObject = { readonly [key: string]: unknown };

/**
 * Reads one JSON document from outside. `what` names it in errors: `image config`.
 *
 * @throws SlipwayError `DOCUMENT_INVALID`, `DOCUMENT_TOO_LARGE`.
 */
export function parseJsonObject(bytes: Buffer, what: string): JsonObject {
  return asObject(parseJson(bytes, what), what);
}

/** As `parseJsonObject`, for any JSON value. */
export function parseJson(bytes: Buffer, what: string): unknown {
  if (bytes.length > MAX_DOCUMENT_SIZE) {
    throw new SlipwayError('exhausted', `${what} is larger than the limit of ${MAX_DOCUMENT_SIZE} bytes`, {
      code: 'DOCUMENT_TOO_LARGE',
    });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw invalid(`${what} is not JSON`, cause);
  }
}

export function asObject(value: unknown, where: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected(where, 'an object');
  return value as JsonObject;
}

export function asString(value: unknown, where: string): string {
  if (typeof value !== 'string') throw expected(where, 'a text');
  return value;
}

/** A whole number that is not negative. */
export function asCount(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw expected(where, 'a whole number');
  }
  return value;
}

export function asInteger(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw expected(where, 'a whole number');
  return value;
}

export function asBoolean(value: unknown, where: string): boolean {
  if (typeof value !== 'boolean') throw expected(where, 'true or false');
  return value;
}

/** A list, each member through `item`. */
export function asList<Item>(
  value: unknown,
  where: string,
  item: (value: unknown, where: string) => Item,
): Item[] {
  if (!Array.isArray(value)) throw expected(where, 'a list');
  if (value.length > MAX_MEMBERS) throw tooMany(where);
  return value.map((member, i) => item(member, `${where}[${i}]`));
}

/** An object used as a map, each value through `item`. A key `__proto__` is a key like any other. */
export function asRecord<Item>(
  value: unknown,
  where: string,
  item: (value: unknown, where: string) => Item,
): Record<string, Item> {
  const entries = Object.entries(asObject(value, where));
  if (entries.length > MAX_MEMBERS) throw tooMany(where);
  return Object.fromEntries(entries.map(([key, member]) => [key, item(member, `${where}.${key}`)]));
}

/** `{ [key]: … }` when the member is there and not null, else nothing: to be spread into a result. */
export function optional<Key extends string, Item>(
  object: JsonObject,
  key: Key,
  where: string,
  item: (value: unknown, where: string) => Item,
): { [K in Key]?: Item } {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  if (value === undefined || value === null) return {};
  return { [key]: item(value, `${where}.${key}`) } as { [K in Key]?: Item };
}

/** An error about a document from outside. */
export function invalid(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', message, { code: 'DOCUMENT_INVALID', cause });
}

function expected(where: string, what: string): SlipwayError {
  return invalid(`${where} is not ${what}`);
}

function tooMany(where: string): SlipwayError {
  return new SlipwayError('exhausted', `${where} has more than ${MAX_MEMBERS} members`, {
    code: 'DOCUMENT_TOO_LARGE',
  });
}
