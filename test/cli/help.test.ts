import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandHelp, groupHelp, rootHelp } from '../../src/cli/help.ts';
import { commands, groups, resolve } from '../../src/cli/registry.ts';

const COLUMNS = 80;

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../testdata/cli/docker-help.json'), 'utf8'),
) as { recordedWith: string; helps: { command: string; text: string }[] };

/** Flags that later versions of Docker have. */
const LATER = new Set(
  ['load', 'save', 'history', 'rmi'].flatMap((name) => [`${name} platform`, `image ${name} platform`]),
)
  .add('image inspect platform')
  .add('image rm platform')
  .add('image remove platform')
  .add('push platform')
  .add('image push platform');

async function helpOf(path: string, without: ReadonlySet<string> = new Set()): Promise<string> {
  const found = resolve(path.split(' '));
  if (found.kind !== 'command') throw new Error(`${path} is no command`);
  const command = await found.entry.load();
  const flags = Object.entries(command.flags).filter(([name]) => !without.has(`${path} ${name}`));
  return commandHelp(found.path, found.entry, { ...command, flags: Object.fromEntries(flags) }, COLUMNS);
}

describe(`help as ${recorded.recordedWith} has it`, () => {
  test.each(recorded.helps)('$command', async ({ command, text }) => {
    // Docker's begins with an empty line.
    const expected = text
      .replace(/^\n/, '')
      .replace(/\bdocker (?!\.)/g, 'slipway ')
      .replaceAll('Docker', 'Slipway');
    expect(await helpOf(command, LATER)).toBe(expected);
  });
});

const paths = commands.filter(({ hidden }) => hidden !== true).flatMap((entry) => entry.paths);

describe('the shape of help', () => {
  test.each(paths)('%s', async (path) => {
    const text = await helpOf(path);
    const entry = commands.find((one) => one.paths.includes(path))!;
    const { flags } = await entry.load();
    const [group] = path.split(' ');
    const main = path.includes(' ') ? entry.paths.find((name) => name.startsWith(`${group} `)) : path;
    const [usage, summary, ...sections] = text.split('\n\n').map((section) => section.replace(/\n$/, ''));
    expect(usage).toMatch(new RegExp(`^Usage:  slipway ${main}(?: \\S.*)?$`));
    expect(summary).toBe(entry.summary);
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    const named = entry.paths.map((name) => `slipway ${name}`).join(', ');
    const shown = Object.entries(flags).filter(
      ([, flag]) => flag.hidden !== true && flag.refused === undefined && flag.deprecated === undefined,
    );
    expect(sections.map((section) => section.split('\n')[0])).toEqual([
      ...(entry.paths.length > 1 ? ['Aliases:'] : []),
      ...(shown.length > 0 ? ['Options:'] : []),
    ]);
    if (entry.paths.length > 1) expect(sections[0]).toBe(`Aliases:\n  ${named}`);
    const lines = shown.length === 0 ? [] : sections.at(-1)!.split('\n').slice(1);
    const heads = lines.flatMap(
      (line) => /^ {2}(?:-(\S), | {4})--(\S+?)(?:\[|\s)/.exec(line)?.slice(1, 3) ?? [],
    );
    expect(heads.filter((_, i) => i % 2 === 1)).toEqual(shown.map(([name]) => name).sort());
    expect(heads.filter((_, i) => i % 2 === 0)).toEqual(
      shown.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, flag]) => flag.short),
    );
    // Takes no options, so says none.
    expect(usage!.includes('[OPTIONS]')).toBe(shown.length > 0);
    for (const line of text.split('\n')) expect(line).toBe(line.trimEnd());
    // An address cannot be broken, and what comes after it stays with it, as in Docker's.
    const broken = lines.filter((line) => !line.includes('https://'));
    expect(broken.filter((line) => line.length > COLUMNS)).toEqual([]);
  });

  test.each(groups.map((group) => ({ ...group, group })))('the group $name', ({ name, summary, group }) => {
    const text = groupHelp(group);
    expect(text.startsWith(`Usage:  slipway ${name} COMMAND\n\n${summary}\n\nCommands:\n`)).toBe(true);
    expect(
      text.endsWith(`\n\nRun 'slipway ${name} COMMAND --help' for more information on a command.\n`),
    ).toBe(true);
    const listed = [...text.matchAll(/^ {2}(\S+) +(\S.*)$/gm)].map((match) => match.slice(1, 3));
    const members = commands.flatMap((entry) => {
      const first = entry.paths.find((path) => path.startsWith(`${name} `));
      return first === undefined || entry.hidden === true
        ? []
        : [[first.slice(name.length + 1), entry.summary]];
    });
    expect(listed).toEqual(members.sort(([a], [b]) => (a! < b! ? -1 : 1)));
  });

  test('all commands but those of groups alone are listed at the top', () => {
    const text = rootHelp(COLUMNS);
    for (const { paths: names, summary, hidden } of commands) {
      const top = names.filter((name) => !name.includes(' '));
      if (hidden === true || top.length === 0) continue;
      expect(
        top.some((name) => new RegExp(`^ {2}${name} +${summary.replace(/[()]/g, '\\$&')}$`, 'm').test(text)),
      ).toBe(true);
    }
    for (const { name } of groups) expect(text).toMatch(new RegExp(`^ {2}${name} +\\S`, 'm'));
  });
});
