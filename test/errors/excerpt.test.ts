import { describe, expect, it } from 'vitest';
import { type ErrorLocation, excerpt } from '../../src/errors/index.ts';

/** The place of `[[` to `]]` in a text. */
function place(marked: string, file = 'Dockerfile'): ErrorLocation {
  const from = marked.indexOf('[[');
  const to = marked.indexOf(']]') - 2;
  const text = marked.replace('[[', '').replace(']]', '');
  const position = (offset: number) => ({
    offset,
    line: text.slice(0, offset).split('\n').length,
    column: offset - text.lastIndexOf('\n', offset - 1),
  });
  return { file, text, range: { start: position(from), end: position(to) } };
}

describe('excerpt', () => {
  // The lines shown are those of `docker build` (BuildKit) for the same file and instruction.
  it('shows neighbours, as many as BuildKit', () => {
    const lines =
      'FROM scratch AS base\nADD a /\n[[RUN false]]\nFROM base AS a\nRUN one\nRUN two\nRUN three\n';
    expect(excerpt(place(lines))).toBe(`\
Dockerfile:3
--------------------
   1 |     FROM scratch AS base
   2 |     ADD a /
   3 | >>> RUN false
   4 |     FROM base AS a
   5 |     RUN one
--------------------
`);
  });

  it('at the end of a file', () => {
    expect(excerpt(place('FROM x\nRUN a\n[[RUN b]]\n'))).toBe(`\
Dockerfile:3
--------------------
   1 |     FROM x
   2 |     RUN a
   3 | >>> RUN b
   4 |     
--------------------
`);
  });

  it('at its beginning', () => {
    expect(excerpt(place('[[FROM x]]\nRUN a\nRUN b'))).toBe(`\
Dockerfile:1
--------------------
   1 | >>> FROM x
   2 |     RUN a
   3 |     RUN b
--------------------
`);
  });

  it('marks a part of a line under exactly its columns', () => {
    expect(excerpt(place('FROM x\n\tCOPY 文字 [[--chwon=1]] a b\n'))).toBe(`\
Dockerfile:2
--------------------
   1 |     FROM x
   2 | >>> \tCOPY 文字 --chwon=1 a b
     |     \t          ^^^^^^^^^
   3 |     
--------------------
`);
  });

  it('marks one column for an empty place at the end of a line', () => {
    expect(excerpt(place('FROM x AS[[]]'))).toBe(`\
Dockerfile:1
--------------------
   1 | >>> FROM x AS
     |              ^
--------------------
`);
  });

  it('marks all lines of a long instruction', () => {
    expect(excerpt(place('FROM x\n[[RUN a \\\n  b \\\n  c\n]]RUN d\nRUN e\nRUN f\n', 'x.Dockerfile'))).toBe(`\
x.Dockerfile:2
--------------------
   1 |     FROM x
   2 | >>> RUN a \\
   3 | >>>   b \\
   4 | >>>   c
   5 |     RUN d
--------------------
`);
  });

  it('shows control characters instead of sending them', () => {
    expect(excerpt(place('[[RUN \x1b[2J \x9b \u202e]]', 'D\x1b]0;x\x07'))).toBe(`\
D^[]0;x^G:1
--------------------
   1 | >>> RUN ^[[2J <U+009B> <U+202E>
--------------------
`);
  });

  it('cuts a line of a megabyte around the place', () => {
    const text = excerpt(place(`${'a'.repeat(600_000)}[[bad]]${'c'.repeat(400_000)}`));
    expect(text.length).toBeLessThan(2000);
    const [, , line, mark] = text.split('\n');
    expect(line!.slice(mark!.indexOf('^'), mark!.lastIndexOf('^') + 1)).toBe('bad');
  });
});
