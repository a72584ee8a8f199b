import { SlipwayError } from '../errors/index.ts';
import type { EarlyWorker } from '../execute/early-worker.ts';
import { storeRoot } from '../store/default-root.ts';
import type { Command, CommandContext, CommandEntry } from './command.ts';
import {
  type FlagDefinition,
  type FlagTable,
  type FlagValues,
  helpFlag,
  type ParsedFlags,
} from './flags/definition.ts';
import { nearest } from './flags/nearest.ts';
import { parseFlags } from './flags/parse.ts';
import { argumentProblem, commandHelp, groupHelp, PROGRAM, rootHelp, usageLine } from './help.ts';
import { programVersion } from './program-version.ts';
import { resolve } from './registry.ts';
import { rootFlags } from './root-flags.ts';

/** The streams, environment and signal that the process gives to a command. */
export interface ProcessContext extends Omit<CommandContext, 'root' | 'debug' | 'path' | 'early'> {
  /** Takes over a worker that was started, whatever comes of the command line. */
  keepEarly?(worker: EarlyWorker): void;
}

/** Exit code of a wrong flag, as Docker's. */
export const EXIT_USAGE = 125;

/**
 * A command line that cannot be carried out: `text` is all that is said on standard error (with its line feed).
 */
export class CommandLineError extends Error {
  readonly text: string;
  readonly exitCode: number;

  constructor(text: string, exitCode: number) {
    super(text);
    this.text = text;
    this.exitCode = exitCode;
  }
}

/** A command line taken apart: what to run, or what to print and be done. */
export type Invocation =
  | { kind: 'print'; text: string }
  | { kind: 'run'; command: Command; context: CommandContext; line: ParsedFlags };

/**
 * Finds the command of `argv` (without program name), parses its flags and checks its arguments. Throws
 * `CommandLineError` with Docker's words and exit codes: 125 for a wrong flag, 1 for an unknown command or a wrong
 * number of arguments.
 */
export async function interpret(argv: readonly string[], outer: ProcessContext): Promise<Invocation> {
  const columns = outer.stdout.columns || 80;
  const root = flags(rootFlags, argv, { path: '', flagsEndAtArgument: true });
  const words = root.args;
  if (root.values.version) return print(versionLine());
  if (words.length === 0) return print(rootHelp(columns));
  if (root.values.help) return help(words, columns);
  if (words[0] === 'help') return help(words.slice(1), columns);

  const found = resolve(words);
  if (found.kind === 'unknown') throw unknownCommand(found.path, found.candidates);
  if (found.kind === 'group') {
    flags(helpFlag, found.rest, { path: found.path, flagsEndAtArgument: true });
    return print(groupHelp(found.group));
  }
  const early = await startEarly(found.entry, found.rest, outer);
  const command = await found.entry.load();
  const { path } = found;
  const line = flags({ ...command.flags, ...helpFlag }, found.rest, {
    path,
    usage: usageLine(path, command),
    flagsEndAtArgument: command.flagsEndAtArgument === true,
  });
  if (line.values.help) return print(commandHelp(path, found.entry, command, columns));
  const problem = argumentProblem(path, command.args, line.args.length);
  if (problem !== undefined) {
    const prefix = path.endsWith('build') ? 'ERROR: ' : '';
    const usage = usageLine(path, command);
    throw new CommandLineError(
      `${prefix}${problem}\n${see(path)}\n\n${usage}\n\n${found.entry.summary}\n`,
      1,
    );
  }
  const values = line.values as FlagValues;
  for (const name of line.given) {
    const definition = command.flags[name];
    if (definition?.refused !== undefined && !asksForNothing(definition, values[name])) {
      throw new CommandLineError(
        `${PROGRAM} ${path}: --${name} is not supported: ${definition.refused}\n`,
        EXIT_USAGE,
      );
    }
    if (definition?.deprecated !== undefined) {
      outer.stderr.write(`Flag --${name} has been deprecated, ${definition.deprecated}\n`);
    }
    if (definition?.ineffective !== undefined && !asksForNothing(definition, values[name])) {
      outer.stderr.write(`WARNING: --${name} has no effect: ${definition.ineffective}\n`);
    }
  }
  const context = {
    ...outer,
    early,
    root: storeRoot(root.values.root, outer.env),
    debug: root.values.debug || line.given.has('debug'),
    path: `${PROGRAM} ${path}`,
  };
  return { kind: 'run', command, context, line };
}

/** In a process that keeps it. What it fails by the command meets again, if it needs a worker at all. */
async function startEarly(
  entry: CommandEntry,
  words: readonly string[],
  { env, keepEarly }: ProcessContext,
): Promise<EarlyWorker | undefined> {
  const asked = entry.needsWorker?.(words);
  if (keepEarly === undefined || asked === undefined) return undefined;
  try {
    const { EarlyWorker } = await import('../execute/early-worker.ts');
    const worker = new EarlyWorker({ env, ...asked });
    keepEarly(worker);
    return worker;
  } catch {
    return undefined;
  }
}

/** A flag that cannot be had may still be turned off. */
function asksForNothing({ unless }: FlagDefinition, value: unknown): boolean {
  if (unless === undefined) return false;
  return [value].flat().every((one) => unless(String(one)));
}

/** `Slipway version 0.1.0, node v24.21.0` */
function versionLine(): string {
  return `Slipway version ${programVersion()}, node ${process.version}\n`;
}

async function help(words: readonly string[], columns: number): Promise<Invocation> {
  if (words.length === 0) return print(rootHelp(columns));
  const found = resolve(words);
  if (found.kind === 'unknown') throw new CommandLineError(`unknown help topic: ${words.join(' ')}\n`, 1);
  if (found.kind === 'group') return print(groupHelp(found.group));
  return print(commandHelp(found.path, found.entry, await found.entry.load(), columns));
}

function print(text: string): Invocation {
  return { kind: 'print', text };
}

interface FlagPlace {
  path: string;
  usage?: string;
  flagsEndAtArgument: boolean;
}

function flags<T extends FlagTable>(table: T, argv: readonly string[], place: FlagPlace): ParsedFlags<T> {
  try {
    return parseFlags(table, argv, place);
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const hint = error.hint === undefined ? '' : `${error.hint}\n`;
    const usage = place.usage === undefined ? '' : `\n${place.usage}\n`;
    throw new CommandLineError(`${error.message}\n${hint}${see(place.path)}\n${usage}`, EXIT_USAGE);
  }
}

function see(path: string): string {
  return `See '${path === '' ? PROGRAM : `${PROGRAM} ${path}`} --help'.`;
}

function unknownCommand(path: string, candidates: string[]): CommandLineError {
  const word = path.slice(path.lastIndexOf(' ') + 1);
  const group = path.includes(' ') ? `${PROGRAM} ${path.slice(0, path.lastIndexOf(' '))}` : PROGRAM;
  const close = nearest(word, candidates);
  const suggestion =
    close.length === 0 ? '' : `Did you mean this?\n${close.map((name) => `\t${name}\n`).join('')}\n`;
  return new CommandLineError(
    `${PROGRAM}: unknown command: ${PROGRAM} ${path}\n\n${suggestion}Run '${group} --help' for more information\n`,
    1,
  );
}
