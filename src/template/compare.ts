import { showValue } from './format.ts';
import { type GoValue, plain, typeName } from './values.ts';

/** A function's own complaint; where it was called is added by the evaluator. */
export class CallError extends Error {}

type Basic = 'bool' | 'int' | 'float' | 'string' | 'none';

function basicKind(value: GoValue): Basic {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float';
    case 'string':
      return 'string';
    default:
      return 'none';
  }
}

/** Go's `eq`: the first value equals any of the others. */
export function equalsAny(first: GoValue, others: readonly GoValue[]): boolean {
  if (others.length === 0) throw new CallError('missing argument for comparison');
  return others.some((other) => equals(first, other));
}

function equals(left: GoValue, right: GoValue): boolean {
  const [a, b] = [plain(left), plain(right)];
  const [nilA, nilB] = [a === null || a === undefined, b === null || b === undefined];
  if (nilA || nilB) return nilA && nilB;
  const [kindA, kindB] = [basicKind(a), basicKind(b)];
  if (kindA !== kindB) throw new CallError('incompatible types for comparison');
  if (kindA === 'none') throw new CallError(`non-comparable type ${showValue(left)}: ${typeName(left)}`);
  return a === b;
}

/** Go's `lt`. */
export function less(left: GoValue, right: GoValue): boolean {
  const [a, b] = [plain(left), plain(right)];
  const [kindA, kindB] = [basicKind(a), basicKind(b)];
  if (kindA === 'none' || kindA === 'bool') throw new CallError('invalid type for comparison');
  if (kindB === 'none' || kindB === 'bool') throw new CallError('invalid type for comparison');
  if (kindA !== kindB) throw new CallError('incompatible types for comparison');
  if (typeof a === 'string' && typeof b === 'string')
    return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
  return (a as bigint | number) < (b as bigint | number);
}

/** Go's `le`. */
export function lessOrEqual(a: GoValue, b: GoValue): boolean {
  return less(a, b) || equals(a, b);
}
