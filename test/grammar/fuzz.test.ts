import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from '../../grammar/parse.ts';
import { expandWord } from '../../src/dockerfile/expand.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import { fixtures } from './support.ts';

/** How many inputs; a failing one is named by its number, from which it can be made again. */
const INPUTS = 100_000;

const PIECES = [
  ...[
    'FROM a',
    'FROM a AS b\n',
    'RUN ',
    'COPY ',
    'ADD ',
    'ENV ',
    'LABEL ',
    'ARG ',
    'CMD ',
    'ENTRYPOINT ',
    'ONBUILD ',
  ],
  ...[
    'SHELL ',
    'VOLUME ',
    'EXPOSE ',
    'USER ',
    'WORKDIR ',
    'STOPSIGNAL ',
    'HEALTHCHECK ',
    'NONE',
    'MAINTAINER ',
    'FOO ',
  ],
  ...[
    '# escape=`\n',
    '# syntax=x\n',
    '# check=skip=all\n',
    '#',
    '#!x\n',
    '//',
    '\n',
    '\n',
    '\n',
    ' ',
    ' ',
    '\t',
    '\r\n',
    '\r',
  ],
  ...[
    '\\',
    '\\\n',
    '`\n',
    '\\ \t\n',
    '\uFEFF',
    '\u00a0',
    '\v',
    '\0',
    '\ud800',
    '\udc00',
    '\u{1f600}',
    'é',
    '\u2028',
  ],
  ...[
    '--x',
    '--from=a ',
    '--link ',
    '--',
    '--mount=type=bind,',
    '--chown="a b" ',
    "'",
    '"',
    '=',
    'a=b ',
    ',',
    ';',
  ],
  ...[
    '[',
    ']',
    '["a"',
    ', "b"]',
    '{"a":[]}',
    '1',
    '\\u00',
    '<<A',
    '<<-A',
    '3<<"A"',
    "<<'B C'",
    '<< A',
    '\nA\n',
    '\n\tA\n',
  ],
  ...[
    '$',
    '${',
    '${a',
    ':-',
    ':+',
    ':?',
    '##',
    '%%',
    '//',
    '/b/c',
    '}',
    '$a',
    '*',
    '?',
    'word',
    '80/tcp',
    '--interval=1s ',
  ],
];

const KEYWORDS = PIECES.slice(2, 20);

const SEEDS = readdirSync(fixtures('trees')).map((name) =>
  readFileSync(fixtures('trees', name, 'Dockerfile'), 'utf8'),
);

/** Numbers below `limit`, the same ones for the same seed (mulberry32). */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** Pieces of the language in any order or behind instructions, a real file with pieces put in and cut out, or any characters. */
function inputOf(number: number): string {
  const next = numbers(number);
  const piece = () => PIECES[next(PIECES.length)]!;
  switch (next(5)) {
    case 0: {
      let text = SEEDS[next(SEEDS.length)]!;
      const from = next(text.length);
      text = text.slice(from, from + 300);
      for (let edits = 1 + next(5); edits > 0; edits--) {
        const at = next(text.length + 1);
        text = text.slice(0, at) + piece() + text.slice(at + next(8));
      }
      return text;
    }
    case 1:
      return Array.from({ length: next(60) }, () =>
        String.fromCharCode(next(next(9) === 0 ? 0x10000 : 128)),
      ).join('');
    case 2:
      return Array.from({ length: next(30) }, piece).join('');
    default: {
      const line = () =>
        KEYWORDS[next(KEYWORDS.length)]! + Array.from({ length: 1 + next(4) }, piece).join('');
      return `FROM a\n${Array.from({ length: 1 + next(3) }, line).join('\n')}`;
    }
  }
}

test('no input makes the parser, or the expansion of its words, fail otherwise than in words', () => {
  const outcomes = { trees: 0, refused: 0, expanded: 0 };
  for (let number = 0; number < INPUTS; number++) {
    const text = inputOf(number);
    try {
      const { dockerfile, errors } = parse(text);
      if (errors.length === 0) outcomes.trees++;
      else outcomes.refused++;
      for (const { text: word } of dockerfile.instructions) {
        expandWord(word, (name) => (name.length === 1 ? 'value' : undefined), { escape: dockerfile.escape });
        outcomes.expanded++;
      }
    } catch (error) {
      if (error instanceof SlipwayError) continue;
      throw new Error(`input ${number}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
  // The generator has to reach both what is accepted and what is not.
  expect(outcomes.trees).toBeGreaterThan(INPUTS / 20);
  expect(outcomes.refused).toBeGreaterThan(INPUTS / 20);
  expect(outcomes.expanded).toBeGreaterThan(INPUTS / 2);
});
