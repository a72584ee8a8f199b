import { goQuote, goQuoteRune } from '../dockerfile/go-text.ts';

/** Flags, width and precision of one verb of a format. */
export interface Directive {
  minus?: boolean;
  plus?: boolean;
  sharp?: boolean;
  space?: boolean;
  zero?: boolean;
  width?: number;
  precision?: number;
}

/** A text in the width that was asked for. */
export function padded(text: string, { width, minus, zero }: Directive): string {
  const missing = (width ?? 0) - Array.from(text).length;
  if (missing <= 0) return text;
  return minus ? text + ' '.repeat(missing) : (zero ? '0' : ' ').repeat(missing) + text;
}

/** An integer by a verb of fmt; undefined for a verb that is none of integers. */
export function formatInteger(verb: string, value: bigint, directive: Directive): string | undefined {
  const negative = value < 0n;
  const magnitude = negative ? -value : value;
  const { sharp } = directive;
  let digits: string;
  let prefix = '';
  switch (verb) {
    case 'd':
      digits = magnitude.toString();
      break;
    case 'b':
      digits = magnitude.toString(2);
      prefix = sharp ? '0b' : '';
      break;
    case 'o':
    case 'O':
      digits = magnitude.toString(8);
      prefix = verb === 'O' ? '0o' : sharp ? '0' : '';
      break;
    case 'x':
      digits = magnitude.toString(16);
      prefix = sharp ? '0x' : '';
      break;
    case 'X':
      digits = magnitude.toString(16).toUpperCase();
      prefix = sharp ? '0X' : '';
      break;
    case 'c':
      return padded(characterOf(value), directive);
    case 'q':
      return padded(goQuoteRune(Number(value)), directive);
    case 'U':
      return padded(`U+${magnitude.toString(16).toUpperCase().padStart(4, '0')}`, directive);
    default:
      return undefined;
  }
  const sign = negative ? '-' : directive.plus ? '+' : directive.space ? ' ' : '';
  if (directive.precision !== undefined) digits = digits.padStart(directive.precision, '0');
  else if (directive.zero && directive.width !== undefined) {
    digits = digits.padStart(directive.width - sign.length - prefix.length, '0');
  }
  return padded(`${sign}${prefix}${digits}`, { ...directive, zero: false });
}

function characterOf(value: bigint): string {
  return value >= 0n && value <= 0x10ffffn ? String.fromCodePoint(Number(value)) : '\ufffd';
}

/** As `formatInteger`, for floating-point numbers. */
export function formatFloat(verb: string, value: number, directive: Directive): string | undefined {
  const { precision, plus, space } = directive;
  const magnitude = Math.abs(value);
  let digits: string;
  if (!Number.isFinite(value)) digits = Number.isNaN(value) ? 'NaN' : value > 0 && !plus ? '+Inf' : 'Inf';
  else if (verb === 'f' || verb === 'F') digits = magnitude.toFixed(Math.min(precision ?? 6, 100));
  else if (verb === 'e' || verb === 'E')
    digits = exponent(magnitude.toExponential(Math.min(precision ?? 6, 100)));
  else if (verb === 'g' || verb === 'G') digits = general(magnitude, precision);
  else return undefined;
  if (verb === 'E' || verb === 'G') digits = digits.toUpperCase();
  const sign = value < 0 || Object.is(value, -0) ? '-' : plus ? '+' : space ? ' ' : '';
  if (directive.zero && directive.width !== undefined)
    digits = digits.padStart(directive.width - sign.length, '0');
  return padded(`${sign}${digits}`, { ...directive, zero: false });
}

/** Go writes at least two digits of an exponent. */
function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

/** `%g`: the shortest text, with an exponent below -4 and from 21 on (the precision, where one is given). */
function general(value: number, precision: number | undefined): string {
  if (value === 0) return '0';
  const scientific =
    precision === undefined
      ? value.toExponential()
      : value.toExponential(Math.max(0, Math.min(precision, 100) - 1));
  const [mantissa = '', power = '0'] = scientific.split('e');
  const limit = precision === undefined ? 21 : precision === 0 ? 1 : precision;
  if (Number(power) < -4 || Number(power) >= limit) {
    return exponent(`${trimZeros(mantissa)}e${power.startsWith('-') ? power : `+${power.replace('+', '')}`}`);
  }
  const places = Math.max(0, mantissa.replace('.', '').length - 1 - Number(power));
  return trimZeros(Number(scientific).toFixed(Math.min(places, 100)));
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}

/** As `formatInteger`, for texts. */
export function formatString(verb: string, value: string, directive: Directive): string | undefined {
  const cut =
    directive.precision === undefined ? value : Array.from(value).slice(0, directive.precision).join('');
  switch (verb) {
    case 's':
      return padded(cut, directive);
    case 'q':
      return padded(directive.sharp && !cut.includes('`') ? `\`${cut}\`` : goQuote(cut), directive);
    case 'x':
    case 'X': {
      const hex = Buffer.from(cut).toString('hex');
      return padded(verb === 'X' ? hex.toUpperCase() : hex, directive);
    }
    default:
      return undefined;
  }
}
