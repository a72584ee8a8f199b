// biome-ignore-all lint/suspicious/noTemplateCurlyInString: substitutions of the shell
import { describe, expect, test } from 'vitest';
import { parse } from '../../grammar/parse.ts';
import { print } from '../../grammar/printer.ts';

/** Files of about `size` bytes that would be quadratic, or deep, for a careless reader. */
function filesOf(size: number): Record<string, string> {
  // Copies that fill the size, or as many as make a file of a megabyte worth reading.
  const fill = (piece: string, inMegabyte = 1_000_000 / piece.length): string =>
    piece.repeat(Math.floor((inMegabyte * size) / 1_000_000));
  const many = Math.floor(size / 100);
  return {
    'continued lines': `RUN echo${fill(' \\\n x', 50_000)}`,
    'continued pairs': `ENV${fill(' \\\n x=1', 50_000)}`,
    'continued words': `COPY${fill(' \\\n x', 50_000)} /`,
    'one continued word': `COPY x${fill('\\\nx', 50_000)} /`,
    'comments inside': `RUN x${fill(' \\\n# foo\n\n x')}`,
    'blank lines inside': `RUN x \\${fill('\n')}`,
    'here-documents': fill('RUN cat <<A\nb\nA\n'),
    'here-documents of one line': `RUN cat${fill(' <<A', 10_000)}\n${fill('b\nA\n', 10_000)}`,
    'here-documents of one COPY': `COPY ${Array.from({ length: many }, (_, n) => `<<A${n} `).join('')} /\n${Array.from({ length: many }, (_, n) => `A${n}\n`).join('')}`,
    'unterminated here-documents': fill('RUN cat <<A\n'),
    'words like openers': `COPY ${fill('a<< ')}`,
    'a huge word': `COPY ${fill('x')} /`,
    'a huge value': `ENV a=${fill('"x y"')}`,
    'an open quote': `RUN <<A ${fill("'", 999_999)}`,
    'nested substitutions': `RUN <<A ${fill('${a:-')}`,
    'closed substitutions': `RUN ${fill('${a:-', 150_000)}${fill('}', 150_000)} <<A\nA\n`,
    'many words': `EXPOSE ${fill('1 ')}`,
    'a long array': `RUN [${fill('"a",')}"b"]`,
    'a deep array': `RUN ${fill('[', 500_000)}${fill(']', 500_000)}`,
    'no array after all': `RUN [${fill('"a",')}`,
    'nested ONBUILD': fill('ONBUILD '),
    flags: `RUN ${fill('--mount=type=x ')}x`,
    'unknown flags': `RUN ${fill('--mountt=x ')}x`,
    'unknown instructions': fill('FOO x\n'),
    'wrong instructions': fill('FROM a b\n'),
    'wrong pairs': fill('ENV a=b c d e\n'),
    'short instructions': fill('RUN x\n'),
    comments: fill('# x\n'),
    'blank lines': fill('\n'),
    blanks: `RUN a${fill(' ')}b`,
    escapes: `RUN a${fill('\\')}`,
    'an end in continuations': fill('RUN a \\\n'),
  };
}

const SMALL = 250_000;
const small = filesOf(SMALL);

/** Processor time of this thread for reading and printing a text, in milliseconds. */
function costOf(text: string): number {
  const before = process.threadCpuUsage();
  const { dockerfile, errors } = parse(`FROM a\n${text}\n`);
  expect(dockerfile.instructions.length + errors.length).toBeGreaterThan(0);
  expect(print(dockerfile).length).toBeGreaterThan(0);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

describe('files of a megabyte', () => {
  // Four times as long takes four times as long, not sixteen times. What takes next to no time says nothing.
  test.each(Object.entries(filesOf(4 * SMALL)))('%s', (name, text) => {
    const limit = 10;
    const ratio = () => costOf(text) / Math.max(costOf(small[name]!), 10);
    // Whatever else the machine does may cost one measurement, not three.
    expect(ratio() < limit || ratio() < limit || ratio() < limit).toBe(true);
  });
});

test('of a file of nothing but errors the first thousand are told', () => {
  const { errors } = parse(`FROM a\n${'FOO x\n'.repeat(5000)}`);
  expect(errors).toHaveLength(1000);
  expect(errors.at(-1)!.line).toBe(1001);
});
