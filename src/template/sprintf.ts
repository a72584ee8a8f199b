import { formatVerb, showValue } from './format.ts';
import type { Directive } from './format-scalar.ts';
import { type GoValue, typeName } from './values.ts';

/** Widest padding that is made: templates come from command lines, memory is not endless. */
const MAX_WIDTH = 1_000_000;

/** fmt.Sprintf, for the verbs and flags that make sense for what templates hold. */
export function sprintf(format: string, values: readonly GoValue[]): string {
  let text = '';
  let next = 0;
  let reordered = false;
  let last = 0;
  const pattern = /%([-+# 0]*)(\[\d+\])?(\*|\d+)?(?:(\.)(\*|\d+)?)?(\[\d+\])?(.)?/gsu;
  for (const match of format.matchAll(pattern)) {
    text += format.slice(last, match.index);
    last = match.index + match[0].length;
    const [, flags = '', early, width, dot, precision, late, verb] = match;
    if (verb === undefined) {
      text += '%!(NOVERB)';
      continue;
    }
    const directive: Directive = {
      minus: flags.includes('-'),
      plus: flags.includes('+'),
      sharp: flags.includes('#'),
      space: flags.includes(' '),
      zero: flags.includes('0') && !flags.includes('-'),
    };
    const index = (early ?? late)?.slice(1, -1);
    if (index !== undefined) {
      next = Number(index) - 1;
      reordered = true;
    }
    if (width === '*') directive.width = starWidth(values[next++], directive);
    else if (width !== undefined) directive.width = Math.min(Number(width), MAX_WIDTH);
    if (dot !== undefined) {
      directive.precision =
        precision === '*' ? Number(values[next++] ?? 0) : Math.min(Number(precision ?? 0), MAX_WIDTH);
    }
    if (verb === '%') {
      text += '%';
      continue;
    }
    if (next >= values.length || next < 0) {
      text += index === undefined ? `%!${verb}(MISSING)` : `%!${verb}(BADINDEX)`;
      continue;
    }
    text += formatVerb(verb, values[next++], directive);
  }
  text += format.slice(last);
  if (!reordered && next < values.length) {
    const extra = values
      .slice(next)
      .map((value) =>
        value === null || value === undefined ? '<nil>' : `${typeName(value)}=${showValue(value)}`,
      );
    text += `%!(EXTRA ${extra.join(', ')})`;
  }
  return text;
}

function starWidth(value: GoValue, directive: Directive): number {
  const width = Number(value ?? 0);
  if (width < 0) directive.minus = true;
  return Math.min(Math.abs(width), MAX_WIDTH);
}
