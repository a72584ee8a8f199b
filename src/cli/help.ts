import type { ArgumentRule, Command, CommandEntry, CommandGroup } from './command.ts';
import { flagUsages } from './flags/usage.ts';
import { commands, groups } from './registry.ts';
import { rootFlags } from './root-flags.ts';

/** Name of the program in every message. */
export const PROGRAM = 'slipway';

const DESCRIPTION = 'Builds container images from Dockerfiles: no daemon, no root';

/** `Usage:  slipway build [OPTIONS] PATH | URL | -` */
export function usageLine(path: string, command: Command): string {
  return `Usage:  ${PROGRAM} ${path}${command.usage === '' ? '' : ` ${command.usage}`}`;
}

/** Help of one command in Docker's shape. `columns` is the terminal's width. */
export function commandHelp(path: string, entry: CommandEntry, command: Command, columns: number): string {
  const parts = [`${usageLine(path, command)}\n`, `${entry.summary}\n`];
  if (entry.paths.length > 1) {
    parts.push(`Aliases:\n  ${entry.paths.map((name) => `${PROGRAM} ${name}`).join(', ')}\n`);
  }
  const options = flagUsages(command.flags, columns - 1);
  if (options !== '') parts.push(`Options:\n${options}`);
  return parts.join('\n');
}

/** Help of a group: its commands by their first name there. */
export function groupHelp(group: CommandGroup): string {
  const members = commands.flatMap((entry) => {
    const path = entry.paths.find((name) => name.startsWith(`${group.name} `));
    return path === undefined ? [] : [{ name: path.slice(group.name.length + 1), summary: entry.summary }];
  });
  return [
    `Usage:  ${PROGRAM} ${group.name} COMMAND\n`,
    `${group.summary}\n`,
    `Commands:\n${listing(members)}`,
    `Run '${PROGRAM} ${group.name} COMMAND --help' for more information on a command.\n`,
  ].join('\n');
}

/** Help of the program itself. */
export function rootHelp(columns: number): string {
  const top = commands.flatMap((entry) => {
    const name = entry.paths.find((path) => !path.includes(' '));
    return name === undefined || entry.hidden === true
      ? []
      : [{ name, summary: entry.summary, common: entry.common }];
  });
  const common = top
    .filter((row) => row.common !== undefined)
    .sort((a, b) => (a.common ?? 0) - (b.common ?? 0));
  return [
    `Usage:  ${PROGRAM} [OPTIONS] COMMAND\n`,
    `${DESCRIPTION}\n`,
    `Common Commands:\n${listing(common, false)}`,
    `Management Commands:\n${listing(groups)}`,
    `Commands:\n${listing(top.filter((row) => row.common === undefined))}`,
    `Global Options:\n${flagUsages(rootFlags, columns - 1)}`,
    `Run '${PROGRAM} COMMAND --help' for more information on a command.\n`,
  ].join('\n');
}

/** What Docker says when the number of arguments is wrong, or undefined when it is right. */
export function argumentProblem(path: string, rule: ArgumentRule, count: number): string | undefined {
  const { least, most } = rule;
  if (count >= least && (most === undefined || count <= most)) return undefined;
  const subject = `"${PROGRAM} ${path}"`;
  const noun = (number: number) => (number === 1 ? 'argument' : 'arguments');
  if (most === 0) return `${subject} accepts no arguments.`;
  if (least === most) return `${subject} requires exactly ${least} ${noun(least)}.`;
  if (count < least) return `${subject} requires at least ${least} ${noun(least)}.`;
  return `${subject} requires at most ${most} ${noun(most ?? 0)}.`;
}

function listing(rows: readonly { name: string; summary: string }[], sorted = true): string {
  const width = Math.max(11, ...rows.map(({ name }) => name.length));
  const order = sorted ? [...rows].sort((a, b) => (a.name < b.name ? -1 : 1)) : rows;
  return order.map(({ name, summary }) => `  ${name.padEnd(width)} ${summary}\n`).join('');
}
