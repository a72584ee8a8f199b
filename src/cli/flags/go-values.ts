import { goQuote, parseGoBoolean } from '../../dockerfile/go-text.ts';
import { SlipwayError } from '../../errors/index.ts';

/** Go's strconv.ParseBool. Throws an Error with Go's words. */
export function parseBool(text: string): boolean {
  const value = parseGoBoolean(text);
  if (value !== undefined) return value;
  throw new SlipwayError('usage', `strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`, {
    code: 'INVALID_FLAG_VALUE',
  });
}

/** Go's strconv.ParseInt with base 0, for numbers that are safe integers. Throws an Error with Go's words. */
export function parseInteger(text: string): number {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/.exec(text);
  const problem = (what: string) =>
    new SlipwayError('usage', `strconv.ParseInt: parsing ${goQuote(text)}: ${what}`, {
      code: 'INVALID_FLAG_VALUE',
    });
  if (match === null) throw problem('invalid syntax');
  const digits = match[2]!;
  const octal = /^0[0-7]+$/.test(digits);
  const value = Number(octal ? `0o${digits.slice(1)}` : digits);
  if (!Number.isSafeInteger(value)) throw problem('value out of range');
  return match[1] === '-' ? -value : value;
}

/**
 * One record of CSV as Go's encoding/csv reads it: fields separated by commas, a field that begins with a double
 * quote ends at the next single one, doubled quotes stand for one. Throws `usage` with Go's words.
 */
export function parseCsvRecord(text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma < 0 ? undefined : comma);
      const quote = field.indexOf('"');
      if (quote >= 0) throw csvError(at + quote, 'bare " in non-quoted field');
      fields.push(field);
      if (comma < 0) return fields;
      at = comma + 1;
      continue;
    }
    let field = '';
    let from = at + 1;
    for (;;) {
      const quote = text.indexOf('"', from);
      if (quote < 0) throw csvError(text.length, 'extraneous or missing " in quoted-field');
      field += text.slice(from, quote);
      if (text[quote + 1] === '"') {
        field += '"';
        from = quote + 2;
        continue;
      }
      if (quote + 1 < text.length && text[quote + 1] !== ',') {
        throw csvError(quote, 'extraneous or missing " in quoted-field');
      }
      fields.push(field);
      if (quote + 1 >= text.length) return fields;
      at = quote + 2;
      break;
    }
  }
}

function csvError(index: number, what: string): SlipwayError {
  return new SlipwayError('usage', `parse error on line 1, column ${index + 1}: ${what}`, {
    code: 'INVALID_CSV',
  });
}
