import { goQuote } from '../dockerfile/go-text.ts';
import { type Directive, formatFloat, formatInteger, formatString, padded } from './format-scalar.ts';
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

/** A value by one verb of fmt. */
export function formatVerb(verb: string, given: GoValue, directive: Directive): string {
  if (verb === 'T') return padded(typeName(given), { ...directive, zero: false });
  if (verb === 'v') return directive.sharp ? padded(goSyntax(given), directive) : formatV(given, directive);
  if (given === null || given === undefined) return badVerb(verb, given);
  // A type with a text of its own shows it where a string is asked for.
  const value =
    given instanceof GoNumber && given.text !== String(given.value) && 'sq'.includes(verb)
      ? given.text
      : plain(given);
  const members = formatMembers(value, (member) => formatVerb(verb, member, directive));
  if (members !== undefined) return members;
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

/** `%v`. */
function formatV(value: GoValue, directive: Directive): string {
  if (value === null || value === undefined) return padded('<nil>', { ...directive, zero: false });
  if (value instanceof GoNumber) return padded(value.text, directive);
  if (value instanceof GoStruct && value.text !== undefined) return padded(value.text, directive);
  const members = formatMembers(value, (member) => formatV(member, directive), directive.plus);
  if (members !== undefined) return members;
  if (typeof value === 'bigint') return formatInteger('d', value, directive)!;
  if (typeof value === 'number') return formatFloat('g', value, directive)!;
  return typeof value === 'string' ? formatString('s', value, directive)! : padded(String(value), directive);
}

/**
 * A list, map or struct with every member through `member`; undefined for anything else. `plus` names a struct's fields.
 */
function formatMembers(value: GoValue, member: (value: GoValue) => string, plus = false): string | undefined {
  if (isSlice(value)) return `[${value.map(member).join(' ')}]`;
  if (value instanceof GoMap) {
    const pairs = [...value.entries].map(([key, one]) => `${member(key)}:${member(one)}`);
    return `map[${pairs.join(' ')}]`;
  }
  if (value instanceof GoStruct) {
    const fields = [...value.fields].map(([name, one]) => (plus ? `${name}:${member(one)}` : member(one)));
    return `{${fields.join(' ')}}`;
  }
  return undefined;
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
