// biome-ignore-all lint/suspicious/noTemplateCurlyInString: substitutions of the shell
import { describe, expect, test } from 'vitest';
import { parse } from '../../grammar/parse.ts';
import { print } from '../../grammar/printer.ts';

const size = 1_000_000;

/** `count` numbered pieces, or as many copies as fill a megabyte. */
function fill(piece: string, count = Math.floor(size / piece.length)): string {
  return piece.repeat(count);
}

/** Files of about a megabyte that would be quadratic, or deep, for a careless reader. */
const files: Record<string, string> = {
  'continued lines': `RUN echo${fill(' \\\n x', 50_000)}`,
  'continued pairs': `ENV${fill(' \\\n x=1', 50_000)}`,
  'continued words': `COPY${fill(' \\\n x', 50_000)} /`,
  'one continued word': `COPY x${fill('\\\nx', 50_000)} /`,
  'comments inside': `RUN x${fill(' \\\n# foo\n\n x')}`,
  'blank lines inside': `RUN x \\${fill('\n')}`,
  'here-documents': fill('RUN cat <<A\nb\nA\n'),
  'here-documents of one line': `RUN cat${fill(' <<A', 10_000)}\n${fill('b\nA\n', 10_000)}`,
  'here-documents of one COPY': `COPY ${Array.from({ length: 10_000 }, (_, n) => `<<A${n} `).join('')} /\n${Array.from({ length: 10_000 }, (_, n) => `A${n}\n`).join('')}`,
  'unterminated here-documents': fill('RUN cat <<A\n'),
  'words like openers': `COPY ${fill('a<< ')}`,
  'a huge word': `COPY ${fill('x')} /`,
  'a huge value': `ENV a=${fill('"x y"')}`,
  'an open quote': `RUN <<A ${fill("'", size + 1)}`,
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

describe('files of a megabyte', () => {
  // A linear reader takes a second or two for both; a quadratic one minutes, and fails by the limit of the test.
  test.each(Object.entries(files))('%s', { timeout: 30_000 }, (_, text) => {
    const { dockerfile, errors } = parse(`FROM a\n${text}\n`);
    expect(dockerfile.instructions.length + errors.length).toBeGreaterThan(0);
    expect(print(dockerfile).length).toBeGreaterThan(0);
  });
});
