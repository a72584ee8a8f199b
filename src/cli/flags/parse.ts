import { goQuote } from '../../dockerfile/go-text.ts';
import { SlipwayError } from '../../errors/index.ts';
import type { FlagDefinition, FlagTable, FlagValues, GivenFlag, ParsedFlags } from './definition.ts';
import { parseBool, parseCsvRecord, parseInteger } from './go-values.ts';
import { nearest } from './nearest.ts';

export interface ParseOptions {
  /** The first argument that is no flag ends the flags (`run IMAGE --whatever`). */
  flagsEndAtArgument?: boolean;
}

/** A flag with its long name: what a token turned out to mean. */
interface Named {
  name: string;
  definition: FlagDefinition;
}

/**
 * Parses a command line with the rules and the words of Go's pflag: `--name value`, `--name=value`, `-n value`,
 * `-nvalue`, `-n=value` (the equals sign is dropped), groups of short flags (`-qt x`), `--` ends the flags, and
 * flags may stand after arguments. Bools take no next argument.
 *
 * Throws `usage` with the codes UNKNOWN_FLAG, FLAG_NEEDS_ARGUMENT, BAD_FLAG_SYNTAX or INVALID_FLAG_VALUE.
 * `--help` ends the parse at once, as it does in Docker: what follows is not looked at.
 */
export function parseFlags<T extends FlagTable>(
  table: T,
  argv: readonly string[],
  options: ParseOptions = {},
): ParsedFlags<T> {
  const parser = new Parser(table, argv);
  parser.run(options.flagsEndAtArgument === true);
  return {
    values: parser.values as FlagValues<T>,
    given: parser.given,
    sequence: parser.sequence,
    args: parser.args,
  };
}

class Parser {
  readonly values: Record<string, boolean | number | string | string[]> = {};
  readonly given = new Set<string>();
  readonly sequence: GivenFlag[] = [];
  readonly args: string[] = [];
  readonly table: FlagTable;
  readonly rest: string[];
  readonly shorts = new Map<string, string>();

  constructor(table: FlagTable, argv: readonly string[]) {
    this.table = table;
    this.rest = [...argv];
    for (const [name, definition] of Object.entries(table)) {
      this.values[name] = defaultOf(definition);
      if (definition.short !== undefined) this.shorts.set(definition.short, name);
    }
  }

  run(flagsEndAtArgument: boolean): void {
    while (this.rest.length > 0) {
      const token = this.rest.shift()!;
      if (token === '--') {
        this.args.push(...this.rest);
        return;
      }
      if (token.length < 2 || !token.startsWith('-')) {
        this.args.push(token);
        if (!flagsEndAtArgument) continue;
        this.args.push(...this.rest);
        return;
      }
      if (token.startsWith('--')) this.long(token);
      else this.group(token.slice(1));
      if (this.given.has('help') && this.values.help === true) return;
    }
  }

  long(token: string): void {
    const equals = token.indexOf('=');
    const name = token.slice(2, equals < 0 ? undefined : equals);
    if (name === '' || name.startsWith('-')) throw problem('BAD_FLAG_SYNTAX', `bad flag syntax: ${token}`);
    const definition = Object.hasOwn(this.table, name) ? this.table[name] : undefined;
    if (definition === undefined) throw this.unknown(name);
    const flag = { name, definition };
    if (equals >= 0) this.set(flag, token.slice(equals + 1));
    else if (aloneValue(definition) !== undefined) this.set(flag, aloneValue(definition)!);
    else if (this.rest.length > 0) this.set(flag, this.rest.shift()!);
    else throw problem('FLAG_NEEDS_ARGUMENT', `flag needs an argument: --${name}`);
  }

  /** Short flags in one token: `qt` of `-qt x`. */
  group(letters: string): void {
    let left = letters;
    while (left !== '') {
      const letter = String.fromCodePoint(left.codePointAt(0)!);
      const name = this.shorts.get(letter);
      if (name === undefined) {
        throw problem('UNKNOWN_FLAG', `unknown shorthand flag: '${letter}' in -${left}`);
      }
      const flag = { name, definition: this.table[name]! };
      const after = left.slice(letter.length);
      if (after.length > 1 && after.startsWith('=')) {
        this.set(flag, after.slice(1));
        return;
      }
      const alone = aloneValue(flag.definition);
      if (alone !== undefined) {
        this.set(flag, alone);
        if (this.values.help === true && name === 'help') return;
        left = after;
        continue;
      }
      if (after === '' && this.rest.length === 0) {
        throw problem('FLAG_NEEDS_ARGUMENT', `flag needs an argument: '${letter}' in -${left}`);
      }
      this.set(flag, after === '' ? this.rest.shift()! : after);
      return;
    }
  }

  set(flag: Named, text: string): void {
    const { name, definition } = flag;
    const first = !this.given.has(name);
    try {
      definition.check?.(text);
      if (definition.type === 'bool') this.values[name] = parseBool(text);
      else if (definition.type === 'int') this.values[name] = parseInteger(text);
      else if (definition.type === 'string') this.values[name] = text;
      else {
        const added = definition.type === 'strings' ? (text === '' ? [] : parseCsvRecord(text)) : [text];
        this.values[name] = [...(first ? [] : (this.values[name] as string[])), ...added];
      }
    } catch (error) {
      const shown = definition.short === undefined ? `--${name}` : `-${definition.short}, --${name}`;
      const why = error instanceof Error ? error.message : String(error);
      throw problem('INVALID_FLAG_VALUE', `invalid argument ${goQuote(text)} for "${shown}" flag: ${why}`);
    }
    this.given.add(name);
    this.sequence.push({ name, text });
  }

  unknown(name: string): SlipwayError {
    const visible = Object.keys(this.table).filter((other) => this.table[other]!.hidden !== true);
    const close = nearest(name, visible)[0];
    return new SlipwayError('usage', `unknown flag: --${name}`, {
      code: 'UNKNOWN_FLAG',
      hint: close === undefined ? undefined : `Did you mean '--${close}'?`,
    });
  }
}

function problem(code: string, message: string): SlipwayError {
  return new SlipwayError('usage', message, { code });
}

function aloneValue(definition: FlagDefinition): string | undefined {
  return definition.alone ?? (definition.type === 'bool' ? 'true' : undefined);
}

function defaultOf(definition: FlagDefinition): boolean | number | string | string[] {
  const text = definition.default;
  switch (definition.type) {
    case 'bool':
      return text === undefined ? false : parseBool(text);
    case 'int':
      return text === undefined ? 0 : parseInteger(text);
    case 'string':
      return text ?? '';
    default:
      return [];
  }
}
