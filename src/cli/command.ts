import type { EarlyWorker } from '../execute/early-worker.ts';
import type { FlagTable, ParsedFlags } from './flags/definition.ts';

/** How many arguments a command takes. */
export interface ArgumentRule {
  least: number;
  /** Absent: any number. */
  most?: number;
}

/** What a command may use of the outside world; nothing below src/cli reads `process` for these. */
export interface CommandContext {
  /** Opens standard input; a command that does not ask never touches it. */
  stdin(): NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  env: NodeJS.ProcessEnv;
  /** Aborted at the first interrupt. */
  signal: AbortSignal;
  /** Gives signals to `handler` from now on, in place of `signal`; the function that it returns ends that. */
  takeSignals?: (handler: (signal: NodeJS.Signals) => void) => () => void;
  /** Started where the command's entry says so; whoever made the context discards it. */
  early?: EarlyWorker | undefined;
  /** Directory of the store: `--root`, SLIPWAY_ROOT or the default for this user. */
  root: string;
  debug: boolean;
  /** The words with which the command was called, for messages: `slipway image ls`. */
  path: string;
}

/** One command, known under one or several names; the same definition serves parsing, help and completion. */
export interface Command<T extends FlagTable = FlagTable> {
  /** What follows the name in the usage line: `[OPTIONS] PATH | URL | -`. */
  usage: string;
  flags: T;
  args: ArgumentRule;
  /** Flags end at the first argument, so that the rest can be another program's command line. */
  flagsEndAtArgument?: boolean;
  /** Does it. Resolves to the exit code; undefined is 0. */
  run(context: CommandContext, line: ParsedFlags<T>): Promise<number | undefined>;
}

/** Gives a command's definition its exact flag types. */
export function defineCommand<const T extends FlagTable>(command: Command<T>): Command<T> {
  return command;
}

/** A command as the registry knows it: enough to find and list it without loading it. */
export interface CommandEntry {
  /** All names, without `slipway`; the main one first: `image ls`, `image list`, `images`. */
  paths: readonly string[];
  summary: string;
  /** Listed first in `slipway --help`, in this order. */
  common?: number;
  /** For programs: no help lists it. */
  hidden?: boolean;
  load(): Promise<Command>;
  /**
   * Whether the words behind the name say that a worker will be needed: then one starts while the command is loaded.
   * It may be wrong. With the standard streams or without, see `SpawnOptions`.
   */
  needsWorker?(words: readonly string[]): { inheritStdio: boolean } | undefined;
}

/** A word that only holds commands: `image`, `system`. */
export interface CommandGroup {
  name: string;
  summary: string;
}
