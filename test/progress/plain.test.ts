import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../../src/progress/events.ts';
import { plainSink } from '../../src/progress/plain.ts';
import { announced, ended, log, play, type Script, started, status, TestClock } from './feed.ts';

async function plain(script: Script, isTTY = false): Promise<string> {
  let text = '';
  const clock = new TestClock();
  const sink = plainSink({ write: (more) => (text += more), isTTY }, clock);
  play(script, sink, clock);
  await sink.close();
  expect(clock.timers).toBe(0);
  return text;
}

const TWO_STAGES: Script = [
  announced('def', '[internal] load build definition from Dockerfile'),
  started(0, 'def'),
  status(0, 'def', { id: 'transferring dockerfile:', current: 0 }),
  status(0.004, 'def', { id: 'transferring dockerfile:', current: 461, done: true }),
  ended(0.005, 'def'),
  announced('base', '[base 1/1] ADD busybox /bin/busybox'),
  announced('b', '[b 1/1] RUN for i in 1 2 3; do echo b$i; sleep 1; done', ['base']),
  announced('a', '[a 1/1] RUN echo hello', ['base']),
  announced('copy', '[stage-2 1/1] COPY --from=b /x /x', ['a', 'b']),
  announced('export', 'exporting to image'),
  ended(0.3, 'base', 'cached'),
  started(0.5, 'b'),
  log(0.576, 'b', 'b1\n'),
  started(0.7, 'a'),
  log(0.762, 'a', 'hello\n'),
  log(1.577, 'b', 'b2\n'),
  log(1.7, 'a', 'no newline'),
  ended(1.8, 'a'),
  log(2.578, 'b', 'b3\n'),
  ended(3, 'b'),
  started(3.1, 'copy'),
  ended(3.2, 'copy'),
  started(3.2, 'export'),
  status(3.2, 'export', { id: 'exporting layers', current: 0 }),
  status(3.5, 'export', { id: 'exporting layers', current: 1_500_000, total: 20_971_520 }),
  status(4.1, 'export', { id: 'exporting layers', current: 20_971_520, total: 20_971_520, done: true }),
  ended(4.2, 'export'),
];

describe('plain', () => {
  it('interleaves parallel steps in bursts', async () => {
    expect(await plain(TWO_STAGES)).toMatchInlineSnapshot(`
      "#1 [internal] load build definition from Dockerfile
      #1 transferring dockerfile: 461B done
      #1 DONE 0.0s

      #2 [base 1/1] ADD busybox /bin/busybox
      #2 CACHED

      #3 [b 1/1] RUN for i in 1 2 3; do echo b$i; sleep 1; done
      #3 0.076 b1
      #3 1.077 b2
      #3 ...

      #4 [a 1/1] RUN echo hello
      #4 0.062 hello
      #4 1.000 no newline
      #4 DONE 1.1s

      #3 [b 1/1] RUN for i in 1 2 3; do echo b$i; sleep 1; done
      #3 2.078 b3
      #3 DONE 2.5s

      #5 [stage-2 1/1] COPY --from=b /x /x
      #5 DONE 0.1s

      #6 exporting to image
      #6 exporting layers
      #6 exporting layers 1.50MB / 20.97MB 0.3s
      #6 exporting layers 20.97MB / 20.97MB 0.9s done
      #6 DONE 1.0s
      "
    `);
  });

  it('shows the log of a failed step again, and what was canceled', async () => {
    expect(
      await plain([
        announced('a', '[2/3] RUN make'),
        announced('b', '[other 1/1] RUN sleep 100'),
        started(0, 'a'),
        started(0, 'b'),
        log(0.061, 'a', 'working\noops\n'),
        ended(0.2, 'a', 'failed', 'process "/bin/sh -c make" did not complete successfully: exit code: 3'),
        ended(0.3, 'b', 'canceled'),
        [
          0.3,
          {
            type: 'warning',
            code: 'FromAsCasing',
            message: "'as' and 'FROM' keywords' casing do not match",
            range: {
              start: { offset: 0, line: 1, column: 1 },
              end: { offset: 9, line: 1, column: 10 },
            },
          },
        ],
      ]),
    ).toMatchInlineSnapshot(`
      "#1 [2/3] RUN make
      #1 0.061 working
      #1 0.061 oops
      #1 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 3

      #2 [other 1/1] RUN sleep 100
      #2 CANCELED
      ------
       > [2/3] RUN make:
      0.061 working
      0.061 oops
      ------

       1 warning found:
       - FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)
      "
    `);
  });

  it('goes on with what counted as done and is not', async () => {
    const script: Script = [
      announced('base', '[1/2] FROM base'),
      announced('run', '[2/2] RUN make'),
      ended(0, 'base', 'cached'),
      ended(0.1, 'run', 'cached'),
      started(1, 'base'),
      status(1.5, 'base', { id: 'sha256:1', current: 5, total: 5, done: true }),
      ended(2, 'base'),
      announced('run', '[2/2] RUN make'),
      started(2, 'run'),
      log(2.5, 'run', 'made\n'),
      ended(3, 'run'),
    ];
    expect(await plain(script)).toMatchInlineSnapshot(`
      "#1 [1/2] FROM base
      #1 CACHED

      #2 [2/2] RUN make
      #2 CACHED

      #1 [1/2] FROM base
      #1 sha256:1 5B / 5B done
      #1 DONE 1.0s

      #2 [2/2] RUN make
      #2 0.500 made
      #2 DONE 1.0s
      "
    `);
  });

  it('gives another step its turn after five seconds', async () => {
    const chatter = Array.from({ length: 14 }, (_, i) => log(i * 0.5 + 0.1, 'a', `a${i}\n`));
    expect(
      await plain([
        announced('a', 'A'),
        announced('b', 'B'),
        started(0, 'a'),
        started(0.01, 'b'),
        log(0.02, 'b', 'b0\n'),
        ...chatter,
        ended(7, 'a'),
        ended(7, 'b'),
      ]),
    ).toMatchInlineSnapshot(`
      "#1 A
      #1 0.100 a0
      #1 0.600 a1
      #1 1.100 a2
      #1 1.600 a3
      #1 2.100 a4
      #1 2.600 a5
      #1 3.100 a6
      #1 3.600 a7
      #1 4.100 a8
      #1 4.600 a9
      #1 5.100 a10
      #1 ...

      #2 B
      #2 0.010 b0
      #2 DONE 7.0s

      #1 A
      #1 5.600 a11
      #1 6.100 a12
      #1 6.600 a13
      #1 DONE 7.0s
      "
    `);
  });

  it('makes escapes, bells and odd bytes harmless, and keeps colours', async () => {
    const text = await plain([
      announced('a', 'RUN \x1b]0;title\x07\x1b[2J\u202eevil\n#9 DONE'),
      started(0, 'a'),
      log(0, 'a', '\x1b[31mred\x1b[0m \x1b[1mbold\n\x1b[2J\x1b[Hgone\x07 \x9b31m\tTab\x1b\n'),
      log(0, 'a', Buffer.from([0x66, 0xff, 0xc3, 0x0a])),
      log(0, 'a', 'crlf\r\n10%\r50%\r100%\n'),
      ended(0, 'a', 'failed', 'no \x1b[2J\nsecond'),
    ]);
    expect(JSON.stringify(text).replaceAll('\\n', '\n')).toMatchInlineSnapshot(`
      ""#1 RUN <U+202E>evil^J#9 DONE
      #1 0.000 \\u001b[31mred\\u001b[0m \\u001b[1mbold\\u001b[0m
      #1 0.000 gone^G <U+009B>31m\\tTab^[
      #1 0.000 f��
      #1 0.000 crlf
      #1 0.000 10%\\r50%\\r100%
      #1 ERROR: no 
      second
      ------
       > RUN <U+202E>evil^J#9 DONE:
      0.000 \\u001b[31mred\\u001b[0m \\u001b[1mbold\\u001b[0m
      0.000 gone^G <U+009B>31m\\tTab^[
      0.000 f��
      0.000 crlf
      0.000 100%
      ------
      ""
    `);
  });

  it('begins a new line at carriage returns on a terminal', async () => {
    const text = await plain(
      [announced('a', 'A'), started(0, 'a'), log(0, 'a', '10%\r50%\r\r100%\n\n'), ended(0, 'a')],
      true,
    );
    expect(text).toBe('#1 A\n#1 0.000 10%\n#1 0.000 50%\n#1 0.000 100%\n#1 0.000 \n#1 DONE 0.0s\n');
  });

  it('clips nothing, and joins lines and characters that come in pieces', async () => {
    const line = '€'.repeat(400_000);
    const bytes = Buffer.from(`${line}\nend\n`);
    const events: [number, BuildEvent][] = [];
    for (let from = 0; from < bytes.length; from += 1000) {
      events.push(log(0.1, 'a', bytes.subarray(from, from + 1000)));
    }
    const text = await plain([announced('a', 'A'), started(0, 'a'), ...events, ended(1, 'a')]);
    expect(text.replace(line, '(line)')).toBe('#1 A\n#1 0.100 (line)\n#1 0.100 end\n#1 DONE 1.0s\n');
  });

  it('loses no output of a step that waits for its turn', async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `line ${i}`);
    const text = await plain([
      announced('a', 'A'),
      announced('b', 'B'),
      started(0, 'a'),
      log(0.01, 'a', 'a\n'),
      started(0.5, 'b'),
      ...lines.map((line) => log(0.6, 'b', `${line}\n`)),
      ended(0.7, 'b'),
      ended(0.8, 'a'),
    ]);
    const shown = text.split('\n').flatMap((line) => /^#2 0\.100 (line .*)$/.exec(line)?.[1] ?? []);
    expect(shown).toEqual(lines);
  });
});
