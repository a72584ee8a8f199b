/**
 * What a flag takes, named as help shows it:
 *
 * - `bool`: nothing, or `=true`/`=false` in every spelling of Go's strconv.ParseBool
 * - `string`: one value, the last one given counts
 * - `int`: a whole number in Go's spelling (`0x10` too)
 * - `list`: may be given several times, each value kept as it stands
 * - `strings`: as `list`, each value split as a line of CSV
 */
export type FlagType = 'bool' | 'string' | 'int' | 'list' | 'strings';

/** One flag: the only place from which parser, help and completion know it. */
export interface FlagDefinition {
  type: FlagType;
  /** One letter. */
  short?: string;
  /** Help text. The first word in backquotes, if any, stands for the value. */
  usage: string;
  /** Value when the flag is absent, shown in help unless it is empty. Bools are absent as `false`. */
  default?: string;
  /** How help names the value; by default as pflag names the type. */
  valueName?: string;
  /** Value of the flag when it stands alone (`--pull` for `--pull=true`); such a flag takes no next argument. */
  alone?: string;
  /** Throws for a value that makes no sense; what it says follows pflag's `invalid argument`. */
  check?: (text: string) => unknown;
  hidden?: boolean;
  /** Still works; using it prints this on standard error. */
  deprecated?: string;
  /** Known to Docker and not to be had here: using it is an error that says this. */
  refused?: string;
  /** Values that ask for nothing, with which a flag that is refused or without effect is accepted in silence. */
  unless?: (value: string) => boolean;
  /** Accepted for the sake of scripts, without effect: using it prints this on standard error. */
  ineffective?: string;
}

/** The flags of one command by their long names, in the order in which they are declared. */
export type FlagTable = Readonly<Record<string, FlagDefinition>>;

type ValueOf<D extends FlagDefinition> = D['type'] extends 'bool'
  ? boolean
  : D['type'] extends 'list' | 'strings'
    ? string[]
    : D['type'] extends 'int'
      ? number
      : string;

/** Values of all flags of a table, defaults filled in. */
export type FlagValues<T extends FlagTable = FlagTable> = { [K in keyof T]: ValueOf<T[K]> };

/** One use of a flag. */
export interface GivenFlag {
  /** Long name. */
  name: string;
  text: string;
}

/** What a command line gave: values, which flags were named, and the rest. */
export interface ParsedFlags<T extends FlagTable = FlagTable> {
  values: FlagValues<T>;
  /** Long names of the flags that were given, in order of first use. */
  given: Set<string>;
  /** Every flag as often as it was given, in that order, with its text. */
  sequence: readonly GivenFlag[];
  /** Arguments that are not flags. */
  args: string[];
}

/** The flag every command has. */
export const helpFlag = {
  help: { type: 'bool', short: 'h', usage: 'Print usage', hidden: true },
} as const satisfies FlagTable;
