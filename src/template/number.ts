/**
 * A number as Go's templates read it: `integer` when the text is a whole number without a point or exponent, `float`
 * always. Undefined for what is no number (complex ones among it).
 */
export function parseNumber(text: string): { integer: bigint | undefined; float: number } | undefined {
  if (!/^[+-]?[0-9.][0-9a-zA-Z_.+-]*$/.test(text) || /__|_$|^[+-]?_/.test(text)) return undefined;
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[+-]/, '').replaceAll('_', '');
  const whole = wholeNumber(digits);
  if (whole !== undefined) return { integer: sign < 0 ? -whole : whole, float: sign * Number(whole) };
  if (!/^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(digits)) return undefined;
  return { integer: undefined, float: sign * Number(digits) };
}

function wholeNumber(digits: string): bigint | undefined {
  if (/^(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0|[1-9][0-9]*)$/.test(digits)) return BigInt(digits);
  return /^0[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : undefined;
}
