import type { Command } from '../command.ts';
import type { FlagDefinition, FlagTable } from '../flags/definition.ts';
import { helpFlag } from '../flags/definition.ts';
import { commands, groups, resolve } from '../registry.ts';
import { rootFlags } from '../root-flags.ts';

/** A word that may stand where the cursor is. */
export interface Candidate {
  word: string;
  /** For shells that show it. */
  about: string;
}

/** What can stand there: words, and file names where `files` says so. */
export interface Completion {
  candidates: Candidate[];
  files: boolean;
}

/** Names that only the store knows, asked for when they can stand there. */
export interface KnownNames {
  images(): string[];
  builds(): string[];
}

const NOTHING: Completion = { candidates: [], files: false };
const FILES: Completion = { candidates: [], files: true };

/**
 * What may stand at the end of a command line. `words` are those after `slipway`; the last one is the beginning of
 * the word in question, and may be empty.
 */
export async function complete(words: readonly string[], names: KnownNames): Promise<Completion> {
  const line = afterRootFlags(words);
  const current = line.at(-1) ?? '';
  const completion = await everything(line, current, names);
  const candidates = completion.candidates.filter(({ word }) => word.startsWith(current));
  return { ...completion, candidates };
}

/** Without the options before the command, which take no part in what comes after. */
function afterRootFlags(words: readonly string[]): readonly string[] {
  let at = 0;
  while (at < words.length - 1 && words[at]!.startsWith('-')) at += words[at] === '--root' ? 2 : 1;
  return words.slice(Math.min(at, words.length - 1));
}

async function everything(line: readonly string[], current: string, names: KnownNames): Promise<Completion> {
  const before = line.slice(0, -1);
  if (before.length === 0) return current.startsWith('-') ? flagsOf(rootFlags) : commandNames();
  if (before[0] === 'help') return before.length === 1 ? commandNames() : memberNames(before[1]!);
  const found = resolve(before);
  if (found.kind === 'group' && found.rest.length === 0) return memberNames(found.group.name);
  if (found.kind !== 'command') return NOTHING;
  const command = await found.entry.load();
  return wordOfCommand(command, found.rest, current, names);
}

function wordOfCommand(
  command: Command,
  before: readonly string[],
  current: string,
  names: KnownNames,
): Completion {
  const flags: FlagTable = { ...command.flags, ...helpFlag };
  const ended = before.includes('--');
  const last = ended ? undefined : before.at(-1);
  const waiting = last === undefined ? undefined : valueFlag(flags, last);
  if (waiting !== undefined) return valuesOf(waiting, '');
  if (current.startsWith('-') && !ended) {
    const equals = current.indexOf('=');
    if (equals < 0) return flagsOf(flags);
    const flag = flags[current.slice(2, equals)];
    return flag === undefined ? NOTHING : valuesOf(flag, current.slice(0, equals + 1));
  }
  return argumentsOf(command.usage, names);
}

/** The flag that the next word is the value of. */
function valueFlag(flags: FlagTable, word: string): FlagDefinition | undefined {
  const [, long, shorts] = /^(?:--([^=]+)|-([^-=]+))$/.exec(word) ?? [];
  const flag =
    long === undefined
      ? Object.values(flags).find(({ short }) => short !== undefined && short === shorts?.at(-1))
      : flags[long];
  return flag === undefined || flag.type === 'bool' || flag.alone !== undefined ? undefined : flag;
}

/** Values that help names as `("plain", "tty")`, else files. */
function valuesOf(flag: FlagDefinition, prefix: string): Completion {
  const list = /\(((?:(?:or )?"[^"]+"(?:, | |(?=\)))?)+)/.exec(flag.usage)?.[1];
  if (list === undefined) return FILES;
  const values = [...list.matchAll(/"([^"]+)"/g)].map(([, value]) => value!);
  return { candidates: values.map((value) => ({ word: prefix + value, about: '' })), files: false };
}

function flagsOf(flags: FlagTable): Completion {
  const shown = Object.entries(flags).filter(
    ([, { hidden, refused, deprecated }]) => !hidden && refused === undefined && deprecated === undefined,
  );
  const candidates = shown.map(([name, { usage }]) => ({ word: `--${name}`, about: firstLine(usage) }));
  return { candidates, files: false };
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.replaceAll('`', '');
}

function argumentsOf(usage: string, names: KnownNames): Completion {
  const words = (list: string[]): Candidate[] => list.map((word) => ({ word, about: '' }));
  if (/\bIMAGE|REPOSITORY|NAME\|ID/.test(usage)) {
    return { candidates: words(names.images()), files: /\bfile\b|\bPATH\b/.test(usage) };
  }
  if (/\bBUILD\b/.test(usage)) return { candidates: words(names.builds()), files: false };
  return FILES;
}

function commandNames(): Completion {
  const top = commands.flatMap(({ paths, summary, hidden }) =>
    hidden === true
      ? []
      : paths.filter((path) => !path.includes(' ')).map((word) => ({ word, about: summary })),
  );
  const candidates = [...top, ...groups.map(({ name, summary }) => ({ word: name, about: summary }))];
  return { candidates: sorted(candidates), files: false };
}

function memberNames(group: string): Completion {
  const prefix = `${group} `;
  const members = commands.flatMap(({ paths, summary }) =>
    paths
      .filter((path) => path.startsWith(prefix))
      .map((path) => ({ word: path.slice(prefix.length), about: summary })),
  );
  return { candidates: sorted(members), files: false };
}

function sorted(candidates: Candidate[]): Candidate[] {
  return candidates.sort((a, b) => (a.word < b.word ? -1 : 1));
}
