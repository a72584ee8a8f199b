import { join } from 'node:path';
import type { SourceRange } from '../../src/errors/index.ts';

/** A path in testdata/grammar. */
export function fixtures(...names: string[]): string {
  return join(import.meta.dirname, '../../testdata/grammar', ...names);
}

/** `line:column-line:column`. */
export function showRange({ start, end }: SourceRange): string {
  return `${start.line}:${start.column}-${end.line}:${end.column}`;
}

/** A tree with its ranges as short strings, and without what every instruction repeats. */
export function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  if ('start' in value && 'end' in value) return showRange(value as SourceRange);
  if ('offset' in value && 'position' in value) {
    const { line, column } = value.position as { line: number; column: number };
    return `${value.offset}@${line}:${column}`;
  }
  const entries = Object.entries(value).filter(([, entry]) => !(Array.isArray(entry) && entry.length === 0));
  return Object.fromEntries(entries.map(([key, entry]) => [key, readable(entry)]));
}

/** A tree without places, for comparing what was read from different texts. */
export function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(
    ([key]) => !/range/i.test(key) && key !== 'textMap' && key !== 'emptyContinuations' && key !== 'line',
  );
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutPlaces(entry)]));
}
