/**
 * JSON as Go's encoding/json writes it: no spaces, and `<`, `>`, `&`, U+2028 and U+2029 escaped. Two builders that
 * write the same values in the same order then give the same digest. Members that are undefined are left out. `indent`: spaces
 * of MarshalIndent.
 */
export function goJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A copy whose keys are in the order Go gives to maps: by their UTF-8 bytes. */
export function sortedRecord<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  const keys = Object.keys(record);
  const byBytes = keys.map((key) => [Buffer.from(key, 'utf8'), key] as const);
  byBytes.sort(([a], [b]) => Buffer.compare(a, b));
  return Object.fromEntries(byBytes.map(([, key]) => [key, record[key]!]));
}
