import { describe, expect, it } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

interface Case {
  name: string;
  /** The Dockerfile; none when it is not given. */
  dockerfile?: string;
  files?: Record<string, string>;
  flags?: string[];
  exitCode: number;
  /** What standard error has to say. */
  says: string[];
}

const FROM = `FROM ${BASE_IMAGE}\n`;

const CASES: readonly Case[] = [
  {
    name: 'no Dockerfile',
    exitCode: 1,
    says: ['failed to read dockerfile: open Dockerfile: no such file or directory'],
  },
  {
    name: 'no Dockerfile of that name',
    dockerfile: FROM,
    flags: ['-f', 'Other.dockerfile'],
    exitCode: 1,
    says: ['failed to read dockerfile: open Other.dockerfile: no such file or directory'],
  },
  { name: 'an empty Dockerfile', dockerfile: '', exitCode: 1, says: ['the Dockerfile cannot be empty'] },
  { name: 'only comments', dockerfile: '# no\n\n', exitCode: 1, says: ['file with no instructions'] },
  {
    name: 'no FROM',
    dockerfile: 'RUN true\n',
    exitCode: 1,
    says: ['Dockerfile:1', 'no build stage in current context'],
  },
  {
    name: 'an unknown instruction',
    dockerfile: `${FROM}RNU true\n`,
    exitCode: 1,
    says: ['Dockerfile:2', '>>> RNU true', 'unknown instruction: RNU (did you mean RUN?)'],
  },
  {
    name: 'two errors, told in one go',
    dockerfile: `${FROM}COPPY a b\nRUN true\nEXPOZE 80\n`,
    exitCode: 1,
    says: ['unknown instruction: COPPY (did you mean COPY?)', 'line 4: unknown instruction: EXPOZE'],
  },
  {
    name: 'an unknown flag of an instruction',
    dockerfile: `${FROM}COPY --chwon=1 a b\n`,
    files: { a: '' },
    exitCode: 1,
    says: ['Dockerfile:2', 'unknown flag: --chwon (did you mean chown?)'],
  },
  {
    name: 'a COPY with one argument',
    dockerfile: `${FROM}COPY a\n`,
    exitCode: 1,
    says: [
      'COPY requires at least two arguments, but only one was provided. Destination could not be determined',
    ],
  },
  {
    name: 'a heredoc without an end',
    dockerfile: `${FROM}RUN <<EOF\ntrue\n`,
    exitCode: 1,
    says: ['Dockerfile:2', 'unterminated heredoc'],
  },
  {
    name: 'an unknown target',
    dockerfile: `${FROM}RUN true\n`,
    flags: ['--target', 'nowhere'],
    exitCode: 1,
    says: ['target stage "nowhere" could not be found'],
  },
  {
    name: 'COPY from an unknown stage',
    dockerfile: `${FROM}COPY --from=nowhere /a /b\n`,
    exitCode: 1,
    says: ['Dockerfile:2', 'nowhere'],
  },
  {
    name: 'COPY from a later stage',
    dockerfile: `${FROM}COPY --from=later /a /b\nFROM ${BASE_IMAGE} AS later\n`,
    flags: ['--target', '0'],
    exitCode: 1,
    says: ['later'],
  },
  {
    name: 'an image that is not here',
    dockerfile: 'FROM test/nowhere:1\nRUN true\n',
    exitCode: 1,
    says: ['Dockerfile:1', 'test/nowhere:1', 'not found'],
  },
  {
    name: 'COPY of what is not there',
    dockerfile: `${FROM}COPY missing /\n`,
    exitCode: 1,
    says: ['Dockerfile:2', '>>> COPY missing /', '"/missing": not found'],
  },
  {
    name: 'COPY from above the context, clamped to it',
    dockerfile: `${FROM}COPY ../../missing /\n`,
    exitCode: 1,
    says: ['"/missing": not found'],
  },
  {
    name: 'COPY of what an ignore file hides',
    dockerfile: `${FROM}COPY hidden /\n`,
    files: { hidden: '', '.dockerignore': 'hidden\n' },
    exitCode: 1,
    says: ['"/hidden": not found'],
  },
  {
    name: 'COPY of what the stage does not have',
    dockerfile: `FROM ${BASE_IMAGE} AS one\nRUN true\n${FROM}COPY --from=one /missing /\n`,
    exitCode: 1,
    says: ['Dockerfile:4', '"/missing": not found'],
  },
  {
    name: 'a RUN that fails',
    dockerfile: `${FROM}RUN true\nRUN echo out of luck && exit 3\n`,
    exitCode: 1,
    says: [
      'out of luck',
      'Dockerfile:3',
      '>>> RUN echo out of luck && exit 3',
      'process "/bin/sh -c echo out of luck && exit 3" did not complete successfully: exit code: 3',
    ],
  },
  {
    name: 'a RUN whose program is not there',
    dockerfile: `${FROM}RUN ["/nowhere", "x"]\n`,
    exitCode: 1,
    says: ['Dockerfile:2', '"/nowhere": executable file not found'],
  },
  {
    name: 'a RUN of a user who is not there',
    dockerfile: `${FROM}USER nowhere\nRUN true\n`,
    exitCode: 1,
    says: ['Dockerfile:2', 'nowhere'],
  },
  {
    name: 'an unknown flag of the command',
    dockerfile: FROM,
    flags: ['--bogus'],
    exitCode: 125,
    says: ['unknown flag: --bogus'],
  },
  {
    name: 'a name that is none',
    dockerfile: FROM,
    flags: ['-t', 'Not/A:Name:'],
    exitCode: 1,
    says: ['invalid reference format'],
  },
];

describe('bad input', () => {
  const store = suiteStore();

  it.each(CASES)('$name', async ({ name, dockerfile, files, flags = [], exitCode, says }) => {
    const context = store.context(`context ${name}`, {
      ...files,
      ...(dockerfile === undefined ? {} : { Dockerfile: dockerfile }),
    });
    const before = await store.ok(['images', '-a', '-q', '--no-trunc']);
    const result = await store.run(['build', '-t', 'test/bad', ...flags, context], { cwd: context });
    for (const fragment of says) expect(result.stderr).toContain(fragment);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
    expect(await store.ok(['images', '-a', '-q', '--no-trunc'])).toBe(before);
    expect(leftovers(store.root)).toEqual([]);
    expect(await store.run(['system', 'check'])).toMatchObject({ exitCode: 0 });
  });

  it('leaves the image that has the name already', async () => {
    const good = store.context('good', { Dockerfile: `${FROM}RUN echo good > /state\n` });
    const bad = store.context('bad', { Dockerfile: `${FROM}RUN echo bad > /state && false\n` });
    await store.ok(['build', '-t', 'test/kept', good]);
    expect(await store.run(['build', '-t', 'test/kept', bad])).toMatchObject({ exitCode: 1 });
    expect(await store.ok(['run', '--rm', 'test/kept', 'cat', '/state'])).toBe('good\n');
  });

  it('a context that is not there', async () => {
    const result = await store.run(['build', 'nowhere']);
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toContain('path "nowhere" not found');
  });
});
