// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, parseTrigger } from '../../grammar/parse.ts';
import { expandWord, expandWords } from '../../src/dockerfile/expand.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import { compilePlan } from '../../src/plan/compile.ts';
import { drawPlan } from '../../src/plan/draw-text.ts';
import { AMD64, image } from './plan-fixture.ts';

const piece = fc.oneof(
  fc.constantFrom(
    '$',
    '{',
    '}',
    '"',
    "'",
    '\\',
    '`',
    ':',
    '-',
    '+',
    '?',
    '#',
    '%',
    '/',
    '*',
    'A',
    'B',
    ' ',
    '\n',
    '=',
    ',',
    '<<EOF',
    'é',
    '😀',
    '${A}',
    '${A:-',
    '${B%%*}',
    '${A//a/b}',
  ),
  fc.string({ maxLength: 3 }),
);
const word = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));

const line = fc.oneof(
  fc.constantFrom(
    'FROM scratch',
    'FROM base',
    'FROM base AS a',
    'FROM a AS b',
    'FROM b',
    'FROM $A',
    'ARG A',
    'ARG A=a B="$A"',
    'RUN x',
    'COPY --from=a x y',
    'COPY --from=0 x y',
    'COPY --from=b x y',
    'RUN --mount=type=cache,target=/c --mount=from=a,target=/a x',
    'ONBUILD RUN y',
    'ONBUILD COPY --from=a x y',
    'WORKDIR w',
    'CMD c',
    'ENTRYPOINT ["e"]',
    'RUN <<EOF\nbody\nEOF',
  ),
  fc
    .tuple(
      fc.constantFrom(
        'FROM',
        'RUN',
        'ENV A=',
        'ENV',
        'LABEL x=',
        'ARG A=',
        'WORKDIR',
        'USER',
        'EXPOSE',
        'VOLUME',
        'STOPSIGNAL',
        'COPY',
        'COPY --chmod=',
        'COPY --from=',
        'ADD',
        'RUN --mount=',
        'HEALTHCHECK --interval=',
        'HEALTHCHECK CMD',
        'SHELL',
        'ONBUILD',
        'CMD',
        'MAINTAINER',
      ),
      word,
      word,
    )
    .map(([keyword, first, second]) => `${keyword}${keyword.endsWith('=') ? '' : ' '}${first} ${second}`),
);

test('whatever parses is planned or refused with an error of ours', async () => {
  let planned = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 10 }), async (lines) => {
      const text = `FROM base AS start\n${lines.join('\n')}\n`;
      const { dockerfile, errors } = parse(text);
      if (errors.length > 0) return;
      try {
        const plan = await compilePlan(dockerfile, {
          platform: AMD64,
          resolveImage: async () => image(),
          parseTrigger,
          text,
        });
        expect(JSON.parse(JSON.stringify(plan))).toStrictEqual(plan);
        expect(drawPlan(plan)).toMatch(/\n$/);
        planned++;
      } catch (error) {
        if (!(error instanceof SlipwayError)) throw error;
        if (error.location !== undefined) {
          const { start, end } = error.location.range;
          expect(start.offset).toBeGreaterThanOrEqual(0);
          expect(end.offset).toBeLessThanOrEqual(text.length);
        }
      }
    }),
    { numRuns: 3_000 },
  );
  expect(planned).toBeGreaterThan(100);
});

test('any word expands or is refused, and splitting loses only blanks', () => {
  const env: Record<string, string> = { A: 'a b', B: '' };
  fc.assert(
    fc.property(word, (raw) => {
      try {
        const { value } = expandWord(raw, (name) => env[name], { escape: '\\' });
        const { words } = expandWords(raw, (name) => env[name], { escape: '\\' });
        const bare = (text: string) => text.replace(/[\s\u0085]/g, '');
        expect(bare(words.join(''))).toBe(bare(value));
      } catch (error) {
        if (!(error instanceof SlipwayError)) throw error;
      }
    }),
    { numRuns: 10_000 },
  );
});
