import { goQuote, goQuoteRune } from '../dockerfile/go-text.ts';
import { GoMap, GoNumber, GoStruct, type GoValue, isSlice, plain, toJson, typeName } from './values.ts';

/** A value as Go's fmt.Print shows it: `[a b]`, `map[k:v]`, `{x y}`, `<nil>`. */
export function showValue(value: GoValue): string {
  return formatV(value, {});
}

/** fmt.Sprint: blanks between operands when neither is a string. */
export function sprint(values: readonly GoValue[]): string {
  let text = '';
  for (const [index, value] of values.entries()) {
    if (index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string') text += ' ';
    text += showValue(value);
  }
  return text;
}

/** fmt.Sprintln. */
export function sprintln(values: readonly GoValue[]): string {
  return `${values.map(showValue).join(' ')}\n`;
}

interface Directive {
  minus?: boolean;
  plus?: boolean;
  sharp?: boolean;
  space?: boolean;
  zero?: boolean;
  width?: number;
  precision?: number;
}

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

function formatVerb(verb: string, given: GoValue, directive: Directive): string {
  if (verb === 'T') return padded(typeName(given), { ...directive, zero: false });
  if (verb === 'v') return directive.sharp ? padded(goSyntax(given), directive) : formatV(given, directive);
  if (given === null || given === undefined) return badVerb(verb, given);
  // A type with a text of its own shows it where a string is asked for.
  const value =
    given instanceof GoNumber && given.text !== String(given.value) && 'sq'.includes(verb)
      ? given.text
      : plain(given);
  if (isSlice(value)) return `[${value.map((item) => formatVerb(verb, item, directive)).join(' ')}]`;
  if (value instanceof GoMap) {
    const pairs = [...value.entries].map(
      ([key, member]) => `${formatVerb(verb, key, directive)}:${formatVerb(verb, member, directive)}`,
    );
    return `map[${pairs.join(' ')}]`;
  }
  if (value instanceof GoStruct) {
    return `{${[...value.fields.values()].map((member) => formatVerb(verb, member, directive)).join(' ')}}`;
  }
  switch (typeof value) {
    case 'string':
      return formatString(verb, value, directive) ?? badVerb(verb, given);
    case 'boolean':
      return verb === 't' ? padded(String(value), { ...directive, zero: false }) : badVerb(verb, given);
    case 'bigint':
      return formatInteger(verb, value, directive) ?? badVerb(verb, given);
    case 'number':
      return formatFloat(verb, value, directive) ?? badVerb(verb, given);
    default:
      return badVerb(verb, given);
  }
}

function badVerb(verb: string, value: GoValue): string {
  if (value === null || value === undefined) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${showValue(value)})`;
}

function formatV(value: GoValue, directive: Directive): string {
  if (value === null || value === undefined) return padded('<nil>', { ...directive, zero: false });
  if (isSlice(value)) return `[${value.map((item) => formatV(item, directive)).join(' ')}]`;
  if (value instanceof GoMap) {
    const pairs = [...value.entries].map(
      ([key, member]) => `${formatV(key, directive)}:${formatV(member, directive)}`,
    );
    return `map[${pairs.join(' ')}]`;
  }
  if (value instanceof GoNumber) return padded(value.text, directive);
  if (value instanceof GoStruct) {
    if (value.text !== undefined) return padded(value.text, directive);
    const fields = [...value.fields].map(([name, member]) =>
      directive.plus ? `${name}:${formatV(member, directive)}` : formatV(member, directive),
    );
    return `{${fields.join(' ')}}`;
  }
  if (typeof value === 'bigint') return formatInteger('d', value, directive)!;
  if (typeof value === 'number') return formatFloat('g', value, directive)!;
  return typeof value === 'string' ? formatString('s', value, directive)! : padded(String(value), directive);
}

function formatInteger(verb: string, value: bigint, directive: Directive): string | undefined {
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

function formatFloat(verb: string, value: number, directive: Directive): string | undefined {
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

function formatString(verb: string, value: string, directive: Directive): string | undefined {
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

function padded(text: string, { width, minus, zero }: Directive): string {
  const missing = (width ?? 0) - Array.from(text).length;
  if (missing <= 0) return text;
  return minus ? text + ' '.repeat(missing) : (zero ? '0' : ' ').repeat(missing) + text;
}

/** `%#v`. */
function goSyntax(value: GoValue): string {
  if (typeof value === 'string') return goQuote(value);
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (isSlice(value)) return `${typeName(value)}{${value.map(goSyntax).join(', ')}}`;
  if (value instanceof GoMap) {
    const pairs = [...value.entries].map(([key, member]) => `${goQuote(key)}:${goSyntax(member)}`);
    return `${value.typeName}{${pairs.join(', ')}}`;
  }
  if (value instanceof GoStruct) {
    const fields = [...value.fields].map(([name, member]) => `${name}:${goSyntax(member)}`);
    return `${value.typeName.replace(/^\*/, '&')}{${fields.join(', ')}}`;
  }
  return showValue(value);
}

/** A value as encoding/json writes it without escaping HTML: no blanks, the keys of maps sorted. */
export function jsonText(value: GoValue): string {
  return JSON.stringify(toJson(value)).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}
