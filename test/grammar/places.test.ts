// biome-ignore-all lint/suspicious/noTemplateCurlyInString: substitutions of the shell
import { describe, expect, test } from 'vitest';
import type { Instruction } from '../../grammar/ast.ts';
import { findOpeners, readOpener, stripLeadingTabs } from '../../grammar/heredoc-words.ts';
import { parse, parseTrigger } from '../../grammar/parse.ts';
import { suggest } from '../../grammar/suggestions.ts';
import { rangeInText } from '../../grammar/text-ranges.ts';
import { showRange } from './support.ts';

function second(text: string): Instruction {
  return parse(`FROM a\n${text}`).dockerfile.instructions[1]!;
}

describe('rangeInText', () => {
  const instruction = second('RUN --network=none one \\\n# two\n\n  thr\\\nee four\n');
  const at = (start: number, end: number) => showRange(rangeInText(instruction, start, end));

  test('finds words on either side of a continuation', () => {
    expect(instruction.text).toBe('one   three four');
    expect(at(0, 3)).toBe('2:20-2:23');
    expect(at(4, 6)).toBe('5:1-5:3');
    expect(at(12, 16)).toBe('6:4-6:8');
  });

  test('spans a continuation inside a word', () => {
    expect(at(6, 11)).toBe('5:3-6:3');
    expect(at(6, 9)).toBe('5:3-5:6');
  });

  test('takes ends and what is beyond as the ends of the text', () => {
    expect(at(16, 16)).toBe('6:8-6:8');
    expect(at(-5, 100)).toBe('2:20-6:8');
    expect(showRange(rangeInText(second('CMD'), 0, 1))).toBe('2:4-2:4');
  });

  test('a word has its offset in the text', () => {
    const copy = second('COPY --link a\\\nb \\\n  c d');
    if (copy.keyword !== 'COPY') throw new Error(copy.keyword);
    const { text, offset, range } = copy.sources[0]!;
    expect([text, copy.text.slice(offset, offset + text.length)]).toEqual(['ab', 'ab']);
    expect(rangeInText(copy, offset, offset + text.length)).toEqual(range);
  });

  test('columns are UTF-16 units', () => {
    const user = second('USER 😀é');
    expect(showRange(user.range)).toBe('2:1-2:9');
  });
});

describe('openers', () => {
  test.each([
    ['RUN <<EOF', ['EOF']],
    ['RUN a <<A b 2<<-B', ['A', 'B']],
    ['RUN << A', ['A']],
    ['RUN <<- A', []],
    ['RUN a<<A', []],
    ['RUN <<<a', []],
    ['RUN <<A<B', []],
    ['RUN "<<A"', []],
    ['RUN <<""', []],
    ['RUN <<A"B C"', ['AB C']],
    ['RUN <<A\\ B', ['A B']],
    ['RUN <<"a\\"b\\c"', ['a"b\\c']],
    ["RUN <<'a\\'", ['a\\']],
    ['RUN <<$x ${y:-"a b"} <<B', ['$x', 'B']],
    ["RUN it's <<A", []],
    ['RUN "a <<A', []],
    ['RUN ${a <<A', []],
    ['RUN ${a^} <<A', []],
    ['RUN ${} <<A', []],
    ['RUN ${a:#b} <<A', []],
    ['RUN ${a/b/c} ${a//b/c} ${a#b} ${a:=b} <<A', ['A']],
    ['RUN ${a/b} <<A', []],
    ['RUN $$ $# ${a:-${b:-"}"}} <<A', ['A']],
    ['RUN ${#a} <<A', []],
  ])('%j', (line, names) => {
    expect(findOpeners(line).map(({ name }) => name)).toEqual(names);
  });

  test('say whether a part was quoted, and their descriptor', () => {
    expect(readOpener('3<<-A"B"')).toEqual({ name: 'AB', fd: 3, stripTabs: true, quoted: true });
    expect(readOpener('<<\\A')).toEqual({ name: 'A', fd: undefined, stripTabs: false, quoted: false });
    expect(readOpener('x<<A')).toBeUndefined();
  });

  test('leading tabs are dropped behind line feeds only', () => {
    expect(stripLeadingTabs('\t\ta\n\tb\r\n \tc\r\td\n\n\te')).toBe('a\nb\r\n \tc\r\td\n\ne');
  });
});

describe('parseTrigger', () => {
  test('reads back what ONBUILD stores', () => {
    const onbuild = second('ONBUILD COPY <<-A <<B /d/\n\t1\n\tA\n2\nB\n');
    if (onbuild.keyword !== 'ONBUILD') throw new Error(onbuild.keyword);
    expect(onbuild.trigger).toBe('COPY <<-A <<B /d/\n\t1\nA\n2\nB');
    const { instruction, errors } = parseTrigger(onbuild.trigger);
    expect(errors).toEqual([]);
    expect(instruction?.heredocs.map(({ content }) => content)).toEqual(['\t1\n', '2\n']);
  });

  test('reports what Docker reports only now', () => {
    expect(parseTrigger('COPY a').errors.map(({ code }) => code)).toEqual(['WRONG_ARGUMENT_COUNT']);
    expect(parseTrigger('RUN a\nRUN b').errors.map(({ message }) => message)).toEqual([
      'onbuild trigger should be a single expression',
    ]);
    expect(parseTrigger('').errors.map(({ code }) => code)).toEqual(['EMPTY_FILE']);
  });
});

test('suggestions', () => {
  expect(suggest('fron', ['from', 'chown'])).toBe('from');
  expect(suggest('from', ['from', 'fron'])).toBeUndefined();
  expect(suggest('xxxxxxx', ['from'])).toBeUndefined();
  expect(suggest('Copyy', ['COPY'])).toBeUndefined();
  expect(suggest('Copyy', ['COPY'], { caseSensitive: false })).toBe('copy');
  expect(suggest('COPYY', ['copy'], { caseSensitive: false })).toBe('COPY');
});
