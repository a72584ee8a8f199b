// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type ExpandOptions,
  expandHeredoc,
  expandWord,
  expandWords,
  unquoteWord,
} from '../../src/dockerfile/expand.ts';
import { SlipwayError } from '../../src/errors/index.ts';

interface Outcome {
  value?: string;
  error?: string;
}
interface Case extends Outcome {
  rule: string;
  word: string;
  /** Where we differ from the engine. */
  ours?: Outcome;
}

const file = join(import.meta.dirname, '../../testdata/dockerfile/expand.json');
const table = JSON.parse(readFileSync(file, 'utf8')) as { env: Record<string, string>; cases: Case[] };
const lookup = (name: string): string | undefined => table.env[name];

function outcome(action: () => string): Outcome {
  try {
    return { value: action() };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return { error: error.message };
  }
}

describe('words, as an engine expands them', () => {
  test.each(table.cases)('$rule $word', ({ word, value, error, ours }) => {
    const expected = ours ?? (error === undefined ? { value } : { error });
    expect(outcome(() => expandWord(word, lookup, { escape: '\\' }).value)).toEqual(expected);
  });
});

describe('what no label can show', () => {
  const expand = (word: string, options: Partial<ExpandOptions> = {}) =>
    outcome(() => expandWord(word, lookup, { escape: '\\', ...options }).value);

  test('the other escape character', () => {
    expect(
      ['a`$A', '`$A', '"x`"y"', 'c:\\d', '"`n"', '${P#`/}', 'a`'].map((word) =>
        expand(word, { escape: '`' }),
      ),
    ).toEqual([
      { value: 'a$A' },
      { value: '$A' },
      { value: 'x"y' },
      { value: 'c:\\d' },
      { value: '`n' },
      { value: '/usr/local/bin' },
      { value: 'a' },
    ]);
  });

  test('bodies of here-documents: quotes are text, a backslash goes', () => {
    const body = `"$A" '$A' \\$A \\\\ \\n \${U:-d}\nnext\\\nline\n`;
    expect(expandHeredoc(body, lookup).value).toBe(`"val" 'val' $A \\ n d\nnext\nline\n`);
  });

  test('titles keep quotes and what is not set', () => {
    const word = `RUN echo "$A" '$A' $U \${U} \${U:-x} \${U/a/b}`;
    expect(expand(word, { keepQuotes: true, keepUnset: true }).value).toBe(
      `RUN echo "val" '$A' $U \${U} \${U:-x} \${U/a/b}`,
    );
  });

  test('names that were used and that were missing', () => {
    const { usedNames, undefinedNames } = expandWord('$A${U:-$W}${E}$A$1', lookup, { escape: '\\' });
    expect({ usedNames, undefinedNames }).toEqual({ usedNames: ['A', 'E'], undefinedNames: ['W', 'U', '1'] });
  });

  test.each<[string, string[]]>([
    ['80 $N', ['80', 'two', 'words']],
    ['"$N"', ['two words']],
    ['a\\ b c', ['a b', 'c']],
    ['  x  ', ['x']],
    ['$U', []],
    ['8${U:-0}0', ['800']],
    ["'' x", ['x']],
    ['a\u00a0b', ['a', 'b']],
  ])('split behind expansion: %s', (word, words) => {
    expect(expandWords(word, lookup, { escape: '\\' }).words).toEqual(words);
  });

  test('quotes come off without expansion', () => {
    expect(unquoteWord(`"a b"'c'\\ d$A`, '\\')).toBe('a bc d$A');
  });

  test('limits are named', () => {
    const nested = `${'${U:-'.repeat(100_000)}x${'}'.repeat(100_000)}`;
    expect(expand(nested)).toEqual({ error: 'variables are nested more than 500 levels deep' });
    const big = 'x'.repeat(3 * 1024 * 1024);
    expect(outcome(() => expandWord('$B$B', () => big, { escape: '\\' }).value)).toEqual({
      error: 'an expanded value is longer than 4194304 characters',
    });
  });

  test('a pattern that would take long is refused', () => {
    const value = 'a'.repeat(1_000_000);
    expect(
      outcome(() => expandWord(`\${V#${'a'.repeat(31)}b}`, () => value, { escape: '\\' }).value),
    ).toEqual({
      error: expect.stringMatching(/a pattern of 32 on a value of 1000000 characters is too much work$/),
    });
  });

  test('no pattern takes more than linear time per character of it', () => {
    const value = 'a'.repeat(20_000);
    const word = `\${V//${'*a'.repeat(30)}b/x}`;
    expect(expandWord(word, () => value, { escape: '\\' }).value).toBe(value);
  });
});
