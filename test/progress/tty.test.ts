import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../../src/progress/events.ts';
import { ttySink } from '../../src/progress/tty.ts';
import { announced, ended, log, play, started, status, TestClock } from './feed.ts';
import { Terminal } from './terminal.ts';

function open(columns: number, rows: number) {
  const terminal = new Terminal(columns, rows);
  const clock = new TestClock();
  const sink = ttySink(terminal, { clock, colour: true, logLines: 6 });
  return { terminal, clock, sink };
}

const LOG = Array.from({ length: 20 }, (_, i) => `line ${i}`).join('\n');

const BUILD: [number, BuildEvent][] = [
  announced('def', '[internal] load build definition from Dockerfile'),
  started(0, 'def'),
  status(0.01, 'def', { id: 'transferring dockerfile:', current: 461, done: true }),
  ended(0.02, 'def'),
  announced(
    'one',
    '[one 1/2] RUN apt-get update && apt-get install -y --no-install-recommends build-essential',
  ),
  announced('two', '[two 1/1] RUN 编译 all the things'),
  announced('last', '[one 2/2] COPY . .'),
  announced('export', 'exporting to image'),
  ended(0.1, 'last', 'cached'),
  started(0.1, 'one'),
  started(0.2, 'two'),
  log(1, 'one', `${LOG}\n`),
  log(1, 'two', 'building 10%\rbuilding 20%\n\x1b[2J\x1b[31mgone\x1b]0;x\x07\x08\n'),
];

describe('tty', () => {
  it('draws steps, reports and the last lines of running ones', async () => {
    const { terminal, clock, sink } = open(60, 20);
    play(BUILD, sink, clock);
    clock.moveTo(1.5);
    expect(terminal.cursorShown).toBe(false);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 1.5s (2/5)
       => [internal] load build definition from Dockerfile   0.0s
       => => transferring dockerfile: 461B                   0.0s
       => CACHED [one 2/2] COPY . .                          0.0s
       => [one 1/2] RUN apt-get update && apt-get install... 1.4s
       => => # line 14
       => => # line 15
       => => # line 16
       => => # line 17
       => => # line 18
       => => # line 19
       => [two 1/1] RUN 编译 all the things                  1.3s
       => => # building 20%
       => => # gone^H"
    `);
    play([ended(2, 'one'), ended(2.5, 'two', 'failed', 'exit code: 2')], sink, clock);
    await sink.close();
    expect(clock.timers).toBe(0);
    expect(terminal).toMatchObject({ cursorShown: true, updating: false });
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 2.5s (4/5) FINISHED
       => [internal] load build definition from Dockerfile   0.0s
       => => transferring dockerfile: 461B                   0.0s
       => CACHED [one 2/2] COPY . .                          0.0s
       => [one 1/2] RUN apt-get update && apt-get install... 1.9s
       => ERROR [two 1/1] RUN 编译 all the things            2.3s
      ------
       > [two 1/1] RUN 编译 all the things:
      0.800 building 20%
      0.800 gone^H
      ------"
    `);
  });

  it('fits a terminal of 40 columns and 8 rows', () => {
    const { terminal, clock, sink } = open(40, 8);
    play(BUILD, sink, clock);
    clock.moveTo(1.5);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 1.5s (2/5)
       => [one 1/2] RUN apt-get updat... 1.4s
       => => # line 18
       => => # line 19
       => [two 1/1] RUN 编译 all the ... 1.3s
       => => # building 20%
       => => # gone^H"
    `);
  });

  it('keeps to the height with more running steps than rows', () => {
    const { terminal, clock, sink } = open(40, 6);
    const ids = Array.from({ length: 30 }, (_, i) => `s${i}`);
    play([...ids.map((id) => announced(id, `RUN ${id}`)), ...ids.map((id) => started(0, id))], sink, clock);
    clock.moveTo(1);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 1.0s (0/30)
       => RUN s0                         1.0s
       => RUN s1                         1.0s
       => RUN s2                         1.0s
       => (27 more steps are running)"
    `);
  });

  it('leaves no debris when the terminal becomes narrower or wider', async () => {
    const { terminal, clock, sink } = open(80, 30);
    terminal.write('$ slipway build .\n');
    play(BUILD, sink, clock);
    clock.moveTo(1.5);
    terminal.resize(40, 30);
    clock.moveTo(1.7);
    terminal.resize(100, 30);
    clock.moveTo(1.9);
    play([ended(2, 'one'), ended(2.5, 'two'), started(2.5, 'export'), ended(2.6, 'export')], sink, clock);
    await sink.close();
    expect(terminal.text()).toMatchInlineSnapshot(`
      "$ slipway build .
      [+] Building 2.6s (5/5) FINISHED
       => [internal] load build definition from Dockerfile                                           0.0s
       => => transferring dockerfile: 461B                                                           0.0s
       => CACHED [one 2/2] COPY . .                                                                  0.0s
       => [one 1/2] RUN apt-get update && apt-get install -y --no-install-recommends build-essential 1.9s
       => [two 1/1] RUN 编译 all the things                                                          2.3s
       => exporting to image                                                                         0.1s"
    `);
  });

  it('shows the end of a line of a megabyte, and stays fast', () => {
    const { terminal, clock, sink } = open(50, 10);
    const line = `${'x'.repeat(1_000_000)}\n`;
    play(
      [announced('a', 'RUN long'), started(0, 'a'), log(0.1, 'a', line), log(0.1, 'a', 'after\n')],
      sink,
      clock,
    );
    clock.moveTo(20);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 20.0s (0/1)
       => RUN long                                20.0s
       => => # xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
       => => # after"
    `);
  });

  it('shows the end of a long line whose line feed comes alone', () => {
    const { terminal, clock, sink } = open(50, 10);
    play(
      [
        announced('a', 'RUN long'),
        started(0, 'a'),
        log(0.1, 'a', `${'x'.repeat(70_000)}`),
        log(0.2, 'a', '\n'),
        log(0.3, 'a', 'after\n\n'),
      ],
      sink,
      clock,
    );
    clock.moveTo(20);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 20.0s (0/1)
       => RUN long                                20.0s
       => => # xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
       => => # after
       => => #"
    `);
  });

  it('shows a line that has not ended, as a progress bar has not', () => {
    const { terminal, clock, sink } = open(50, 10);
    play(
      [
        announced('a', 'RUN bar'),
        started(0, 'a'),
        log(0.1, 'a', 'before\n'),
        log(0.2, 'a', '10%\r'),
        log(0.3, 'a', '20%\r'),
      ],
      sink,
      clock,
    );
    clock.moveTo(1);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 1.0s (0/1)
       => RUN bar                                  1.0s
       => => # before
       => => # 20%"
    `);
    play([log(1.1, 'a', '100%\n')], sink, clock);
    clock.moveTo(2);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 2.0s (0/1)
       => RUN bar                                  2.0s
       => => # before
       => => # 100%"
    `);
  });

  it('shows a line that comes in many pieces as one', () => {
    const { terminal, clock, sink } = open(50, 10);
    const piece = 'x'.repeat(65_536);
    play(
      [
        announced('a', 'RUN long'),
        started(0, 'a'),
        log(0.1, 'a', 'before\n'),
        ...Array.from({ length: 3 }, () => log(0.2, 'a', piece)),
      ],
      sink,
      clock,
    );
    clock.moveTo(1);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 1.0s (0/1)
       => RUN long                                 1.0s
       => => # before
       => => # xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    `);
    play([log(1.1, 'a', 'end\nafter\n')], sink, clock);
    clock.moveTo(2);
    expect(terminal.text()).toMatchInlineSnapshot(`
      "[+] Building 2.0s (0/1)
       => RUN long                                 2.0s
       => => # before
       => => # end
       => => # after"
    `);
  });
});
