// biome-ignore-all lint/suspicious/noTemplateCurlyInString: substitutions of the shell
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dockerfile, Instruction, ParseError, Word } from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import { print } from '../../grammar/printer.ts';
import { rangeInText } from '../../grammar/text-ranges.ts';
import type { SourceRange } from '../../src/errors/index.ts';
import { fixtures, withoutPlaces } from './support.ts';

const seeds = readdirSync(fixtures('trees')).map((name) =>
  readFileSync(fixtures('trees', name, 'Dockerfile'), 'utf8'),
);

/** Pieces that meet every rule of the language somewhere. */
const piece = fc.oneof(
  fc.constantFrom(
    ...[
      'FROM a',
      'FROM a AS b',
      'RUN',
      'COPY',
      'ADD',
      'ENV',
      'LABEL',
      'ARG',
      'CMD',
      'ONBUILD',
      'SHELL',
      'VOLUME',
    ],
    ...[
      'HEALTHCHECK',
      'NONE',
      'EXPOSE',
      'USER',
      '# escape=`',
      '# syntax=x',
      '# check=skip=all',
      '#',
      '# c',
      '#!x',
    ],
    ...[
      '\n',
      '\n',
      '\n',
      ' ',
      ' ',
      '\t',
      '\r\n',
      '\r',
      '\\',
      '\\\n',
      '` \n',
      '\\ \t\r\n',
      '\uFEFF',
      '\u00a0',
      '\v',
    ],
    ...[
      '--x',
      '--from=a',
      '--link',
      '--',
      '--a="b c"',
      "'",
      '"',
      '=',
      'a=b',
      'a="b c"',
      '[',
      ']',
      ',',
      '["a", "b"]',
    ],
    ...[
      '[1]',
      '{"a":[]}',
      '<<A',
      '<<-A',
      '3<<"A"',
      "<<'B C'",
      '<< A',
      '\nA\n',
      '\n\tA\n',
      'B C\n',
      '${a:-',
      '}',
      '$',
      '<',
    ],
  ),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
);
const assembled = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
const mutated = fc
  .record({
    seed: fc.constantFrom(...seeds),
    edits: fc.array(fc.record({ at: fc.nat(2000), remove: fc.nat(8), insert: piece }), {
      minLength: 1,
      maxLength: 6,
    }),
  })
  .map(({ seed, edits }) =>
    edits.reduce((text, { at, remove, insert }) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + insert + text.slice(start + remove);
    }, seed),
  );
const input = fc.oneof(assembled, mutated, fc.string({ unit: 'binary' }));
const runs = Number(process.env.SLIPWAY_PROPERTY_RUNS ?? 5000);

function allRanges(node: unknown, found: SourceRange[] = []): SourceRange[] {
  if (typeof node !== 'object' || node === null) return found;
  if ('start' in node && 'end' in node) found.push(node as SourceRange);
  else for (const child of Object.values(node)) allRanges(child, found);
  return found;
}

/** The words of an instruction whose text is the instruction's text at their offset. */
function plainWords(instruction: Instruction): Word[] {
  switch (instruction.keyword) {
    case 'FROM':
      return [instruction.image, instruction.as, instruction.alias].filter((word) => word !== undefined);
    case 'COPY':
    case 'ADD':
      return instruction.form === 'json' ? [] : [...instruction.sources, instruction.destination];
    case 'ENV':
    case 'LABEL':
    case 'ARG':
      return instruction.pairs.flatMap(({ key, value }) => (value === undefined ? [key] : [key, value]));
    case 'VOLUME':
      return instruction.form === 'json' ? [] : instruction.words;
    case 'EXPOSE':
      return instruction.words;
    case 'USER':
    case 'WORKDIR':
    case 'STOPSIGNAL':
    case 'MAINTAINER':
      return [instruction.value];
    case 'HEALTHCHECK':
      return instruction.none ? [] : [instruction.command];
    case 'ONBUILD':
      return instruction.instruction === undefined ? [] : plainWords(instruction.instruction);
    default:
      return [];
  }
}

/** The instruction itself and what ONBUILD holds. */
function withTriggers(dockerfile: Dockerfile): Instruction[] {
  return dockerfile.instructions.flatMap((instruction) =>
    instruction.keyword === 'ONBUILD' && instruction.instruction !== undefined
      ? [instruction, instruction.instruction]
      : [instruction],
  );
}

function checkRange(text: string, { start, end }: SourceRange): void {
  expect(start.offset).toBeLessThanOrEqual(end.offset);
  expect(end.offset).toBeLessThanOrEqual(text.length);
  for (const { offset, line, column } of [start, end]) {
    const before = text.slice(0, offset);
    expect({ offset, line, column }).toEqual({
      offset,
      line: before.split('\n').length,
      column: offset - (before.lastIndexOf('\n') + 1) + 1,
    });
  }
}

/** A slice of the source with its continuations, and what they swallow, taken out. */
function joined(source: string, escapeCharacter: string): string {
  const mark = escapeCharacter === '\\' ? '\\\\' : '`';
  return source.replace(new RegExp(`${mark}[ \\t]*\\r*\\n(?:\\s*#[^\\n]*\\n|[^\\S\\n]*\\n)*`, 'gu'), '');
}

describe('any input', () => {
  test('is read without throwing, into data with places inside the text', () => {
    fc.assert(
      fc.property(input, (text) => {
        const { dockerfile, errors } = parse(text);
        expect(JSON.parse(JSON.stringify({ dockerfile, errors }))).toEqual({ dockerfile, errors });
        for (const range of allRanges({ dockerfile, errors })) checkRange(text, range);
        if (errors.length === 0) expect(dockerfile.instructions.length).toBeGreaterThan(0);
      }),
      { numRuns: runs },
    );
  });

  test('has words whose ranges hold exactly their text', () => {
    fc.assert(
      fc.property(input, (text) => {
        const { dockerfile } = parse(text);
        for (const instruction of withTriggers(dockerfile)) {
          for (const word of plainWords(instruction)) {
            expect(instruction.keyword === 'ONBUILD' || instruction.text.includes(word.text)).toBe(true);
            const slice = text.slice(word.range.start.offset, word.range.end.offset);
            expect(joined(slice, dockerfile.escape)).toBe(word.text);
          }
          for (let at = 0; at < instruction.text.length; at++) {
            const { start, end } = rangeInText(instruction, at, at + 1);
            expect(text.slice(start.offset, end.offset)).toBe(instruction.text[at]);
          }
        }
      }),
      { numRuns: runs },
    );
  });

  test('printed and read again gives the same tree', () => {
    let compared = 0;
    fc.assert(
      fc.property(input, (text) => {
        const first = parse(text);
        // What has errors loses instructions, and with them the neighbours of comments.
        if (first.errors.some(({ code }) => !['NO_BUILD_STAGE', 'NO_STAGES', 'UNKNOWN_FLAG'].includes(code)))
          return;
        const printed = print(first.dockerfile);
        const second = parse(printed);
        expect(withoutPlaces(second.dockerfile)).toEqual(withoutPlaces(first.dockerfile));
        expect(summary(second.errors)).toEqual(summary(first.errors));
        expect(print(second.dockerfile)).toBe(printed);
        compared++;
      }),
      { numRuns: runs },
    );
    expect(compared).toBeGreaterThan(runs / 50);
  });

  test('of the fixtures survives printing', () => {
    for (const text of seeds) {
      const { dockerfile } = parse(text);
      expect(withoutPlaces(parse(print(dockerfile)).dockerfile)).toEqual(withoutPlaces(dockerfile));
    }
  });

  test('is printed in lines that Docker takes', () => {
    const text = `FROM a\nRUN ${`${'é'.repeat(700)} \\\n`.repeat(200)} end\n`;
    const first = parse(text);
    const second = parse(print(first.dockerfile));
    expect(second.errors).toEqual([]);
    expect(withoutPlaces(second.dockerfile)).toEqual(withoutPlaces(first.dockerfile));
  });
});

function summary(errors: readonly ParseError[]): string[] {
  return errors.map(({ code, message }) => `${code} ${message}`);
}
