import type { Flag, Keyword } from './ast.ts';
import { type FlagType, flagTypes } from './keywords.ts';
import type { Problem } from './problem.ts';
import { suggest } from './suggestions.ts';

/** The errors of an instruction's flags (SPEC 1.3). */
export function checkFlags(keyword: Keyword, flags: readonly Flag[]): Problem[] {
  const types = flagTypes[keyword] ?? {};
  const seen = new Set<string>();
  const errors: Problem[] = [];
  for (const flag of flags) {
    const type = Object.hasOwn(types, flag.name) ? types[flag.name]! : undefined;
    const error =
      type === undefined ? unknownFlag(keyword, flag) : checkFlag(flag, type, seen.has(flag.name));
    if (error !== undefined) errors.push(error);
    seen.add(flag.name);
  }
  return errors;
}

function unknownFlag(keyword: Keyword, flag: Flag): Problem {
  const names = Object.keys(flagTypes[keyword] ?? {});
  const suggestion = suggest(flag.name, names);
  return {
    message: `unknown flag: --${flag.name}`,
    code: 'UNKNOWN_FLAG',
    range: flag.range,
    hint: hintFor(keyword, names, suggestion),
    ...(suggestion !== undefined && { suggestion }),
  };
}

function hintFor(keyword: Keyword, names: string[], suggestion: string | undefined): string {
  if (suggestion !== undefined) return `Did you mean --${suggestion}?`;
  if (names.length > 0) return `${keyword} knows ${names.map((name) => `--${name}`).join(', ')}.`;
  return `${keyword} has no flags; put -- before words that begin with two hyphens.`;
}

function checkFlag(flag: Flag, type: FlagType, repeated: boolean): Problem | undefined {
  const { name, value, range } = flag;
  if (repeated && type !== 'list') {
    return { message: `duplicate flag specified: --${name}`, code: 'DUPLICATE_FLAG', range };
  }
  if (type === 'boolean') {
    if (value === '')
      return { message: `missing a value on flag: --${name}`, code: 'MISSING_FLAG_VALUE', range };
    if (value === undefined || /^(true|false)$/i.test(value)) return undefined;
    return {
      message: `expecting boolean value for flag --${name}, not: ${value}`,
      code: 'INVALID_BOOLEAN_FLAG',
      range: flag.valueRange ?? range,
      hint: 'Write true or false.',
    };
  }
  if (value !== undefined) return undefined;
  return {
    message: `missing a value on flag: --${name}`,
    code: 'MISSING_FLAG_VALUE',
    range,
    hint: `Write --${name}=VALUE, with no blank.`,
  };
}
