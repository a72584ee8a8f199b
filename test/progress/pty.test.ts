import { afterEach, expect, it, vi } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';
import {
  slipwayOnTerminal,
  type TerminalOptions,
  type TerminalPiece,
  type TerminalStep,
} from '../support/terminal.ts';
import { Terminal } from './terminal.ts';

/** A number that no other process of the machine sleeps for, so that the test can find and end its own. */
const FOREVER = String(100_000_000 + process.pid);
const wait = (which: number): string => `(sleep ${FOREVER}.${which} || true) 2>/dev/null`;
const goOn = (which: number): TerminalStep => ({ end: ['sleep', `${FOREVER}.${which}`] });

/** What stood on the terminal before: nothing of it may be lost. */
const PROMPT = '$ slipway build .\r\n';

interface Shown {
  /** Screens at the marks, and everything that stands on the terminal at the end. */
  screens: Record<string, string>;
  end: string;
  raw: string;
  exitCode: number;
  modes: { echo: boolean; canonical: boolean; cursorShown: boolean; updating: boolean };
}

describeWith({ needs: [program('python3')] }, 'the live view on a terminal', () => {
  const store = suiteStore();
  let count = 0;

  // What a killed front leaves is ended by the kernel, a moment later.
  afterEach(() => vi.waitFor(() => expect(leftovers(store.root)).toEqual([]), { timeout: 20_000 }));

  async function build(
    dockerfile: string,
    { flags = [], ...options }: Omit<TerminalOptions, 'root'> & { flags?: string[] } = {},
  ): Promise<Shown> {
    const context = store.context(`context-${count++}`, { Dockerfile: dockerfile });
    const { rows = 30, columns = 100, env } = options;
    const result = await slipwayOnTerminal(['build', '--no-cache', ...flags, context], {
      redraws: true,
      ...options,
      root: store.root,
      env: { TERM: 'xterm-256color', SOURCE_DATE_EPOCH: undefined, ...env },
    });
    expect(result.left).toEqual([]);
    const { exitCode, echo, canonical, output: raw } = result;
    const terminal = new Terminal(columns, rows);
    const screens = play(terminal, result.pieces);
    const { cursorShown, updating } = terminal;
    const end = withoutTimes(terminal.text());
    return { screens, end, raw, exitCode, modes: { echo, canonical, cursorShown, updating } };
  }

  const restored = { echo: true, canonical: true, cursorShown: true, updating: false };

  it('follows every change of size, and leaves nothing of earlier pictures', async () => {
    const { screens, end, exitCode, modes } = await build(
      `FROM ${BASE_IMAGE} AS one
RUN echo 'the first line of one' && echo 'another line, which is longer than a narrow terminal is wide' && ${wait(1)}
FROM ${BASE_IMAGE} AS two
RUN echo '漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 two' && ${wait(2)}
FROM ${BASE_IMAGE}
COPY --from=one /etc/passwd /one
COPY --from=two /etc/passwd /two
`,
      {
        flags: ['--jobs=2'],
        steps: [
          { expect: '# another line' },
          { expect: ' two' },
          { mark: 'at first' },
          { resize: [30, 41] },
          { mark: 'narrow' },
          { resize: [30, 120] },
          { mark: 'wide' },
          { resize: [6, 60] },
          { mark: 'low' },
          { resize: [30, 60] },
          { mark: 'high again' },
          { resize: [12, 30] },
          { mark: 'small' },
          { resize: [30, 80] },
          { mark: 'at last' },
          goOn(1),
          goOn(2),
        ],
      },
    );
    expect(screens).toMatchInlineSnapshot(`
      {
        "at first": "$ slipway build .
      [+] Building <time> (3/7)
       => CACHED [stage-2 1/3] FROM docker.io/test/base:latest <time>
       => CACHED [one 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [two 1/2] FROM docker.io/test/base:latest <time>
       => [one 2/2] RUN ... <time>
       => => # the first line of one
       => => # another line, which is longer than a narrow terminal is wide
       => [two 2/2] RUN ... <time>
       => => # 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 two",
        "at last": "$ slipway build .
      [+] Building <time> (3/7)
       => CACHED [stage-2 1/3] FROM docker.io/test/base:latest <time>
       => CACHED [one 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [two 1/2] FROM docker.io/test/base:latest <time>
       => [one 2/2] RUN ... <time>
       => => # the first line of one
       => => # another line, which is longer than a narrow terminal is wide
       => [two 2/2] RUN ... <time>
       => => # 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 two",
        "high again": "$ slipway build .
      [+] Building <time> (3/7)
       => CACHED [stage-... <time>
       => CACHED [one 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [two 1/2] FROM docker.io/test/base:latest <time>
       => [one 2/2] RUN ... <time>
       => => # the first line of one
       => => # another line, which is longer than a narrow ter...
       => [two 2/2] RUN ... <time>
       => => # 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢...",
        "low": "[+] Building <time> (3/7)
       => [one 2/2] RUN ... <time>
       => => # another line, which is longer than a narrow ter...
       => [two 2/2] RUN ... <time>
       => => # 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢...",
        "narrow": "$ slipway build .
      [+] Building <time> (3/7)
       => CACHED [stage-... <time>
       => CACHED [one 1/... <time>
       => CACHED [two 1/... <time>
       => [one 2/2] RUN ... <time>
       => => # the first line of one
       => => # another line, which is longe...
       => [two 2/2] RUN ... <time>
       => => # 漢字漢字漢字漢字漢字漢字漢字...",
        "small": " => CACHED [one 1/2] FROM dock
      er.io/test/base:latest <time>
      [+] Building <time> (3/7)
       => CACHED [stage-... <time>
       => CACHED [one 1/... <time>
       => CACHED [two 1/... <time>
       => [one 2/2] RUN ... <time>
       => => # the first line of...
       => => # another line, whi...
       => [two 2/2] RUN ... <time>
       => => # 漢字漢字漢字漢字...",
        "wide": "$ slipway build .
      [+] Building <time> (3/7)
       => CACHED [stage-2 1/3] FROM docker.io/test/base:latest <time>
       => CACHED [one 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [two 1/2] FROM docker.io/test/base:latest <time>
       => [one 2/2] RUN ... <time>
       => => # the first line of one
       => => # another line, which is longer than a narrow terminal is wide
       => [two 2/2] RUN echo '漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 two' && (sleep N <time>
       => => # 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 two",
      }
    `);
    expect(end).toMatchInlineSnapshot(`
      "$ slipway build .
      [+] Building <time> (8/8) FINISHED
       => CACHED [stage-2 1/3] FROM docker.io/test/base:latest <time>
       => CACHED [one 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [two 1/2] FROM docker.io/test/base:latest <time>
       => [one 2/2] RUN ... <time>
       => [two 2/2] RUN ... <time>
       => [stage-2 2/3] COPY --from=one /etc/passwd /one <time>
       => [stage-2 3/3] COPY --from=two /etc/passwd /two <time>
       => exporting to image <time>
       => => writing ima... <time>"
    `);
    expect({ exitCode, modes }).toEqual({ exitCode: 0, modes: restored });
  });

  it('shows as many parallel steps as there is room for, and all of them at the end', async () => {
    const stages = Array.from(
      { length: 12 },
      (_, i) => `FROM ${BASE_IMAGE} AS s${i}\nRUN : of ${i}; ${wait(10 + i)}\n`,
    );
    const copies = stages.map((_, i) => `COPY --from=s${i} /etc/passwd /s${i}\n`);
    const { screens, end, exitCode, modes } = await build(
      `${stages.join('')}FROM ${BASE_IMAGE}\n${copies.join('')}`,
      {
        rows: 10,
        columns: 80,
        flags: ['--jobs=12'],
        steps: [
          { expect: '(5 more steps are running)' },
          { mark: 'low' },
          { resize: [24, 80] },
          { mark: 'higher' },
          ...stages.map((_, i) => goOn(10 + i)),
        ],
      },
    );
    // Which ones began first is not said.
    const kinds = (screen: string) =>
      screen.replaceAll(/s\d+ (?=[12]\/)|of \d+/g, (text) => text.replace(/\d+/, 'N'));
    expect(kinds(screens.low!)).toMatchInlineSnapshot(`
      "[+] Building <time> (13/37)
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => (5 more steps are running)"
    `);
    expect(kinds(screens.higher!)).toMatchInlineSnapshot(`
      "[+] Building <time> (13/37)
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => CACHED [sN 1/2] FROM docker.io/test/base:latest <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>
       => [sN 2/2] RUN : of N; (sleep N || true) 2>/dev/null <time>"
    `);
    const steps = end.split('\n').filter((line) => /=> \[s\d+ 2\/2\] RUN : of \d+/.test(line));
    expect(new Set(steps).size).toBe(12);
    expect(end.split('\n').filter((line) => line.includes('COPY --from'))).toHaveLength(12);
    expect({ exitCode, modes }).toEqual({ exitCode: 0, modes: restored });
  });

  it('takes what RUN prints as text: control characters, progress bars, a line of a megabyte', async () => {
    const evil = String.raw`\033[2J\033[H\033]0;title\007\033[?1049h\033[?25l\033[31mred\033c\033P+q\033\\\b\b\016\n`;
    const { screens, end, raw, exitCode, modes } = await build(
      `FROM ${BASE_IMAGE}
RUN head -c 1000000 /dev/zero | tr '\\0' x; echo; printf '${evil}10%%\\r20%%\\r30%%'; ${wait(1)}; echo; exit 3
`,
      { columns: 40, steps: [{ expect: '# 30%' }, { mark: 'running' }, goOn(1)] },
    );
    expect(screens.running).toMatchInlineSnapshot(`
      "$ slipway build .
      [+] Building <time> (1/2)
       => CACHED [1/2] F... <time>
       => [2/2] RUN head... <time>
       => => # xxxxxxxxxxxxxxxxxxxxxxxxxxx...
       => => # red^[c^H^H^N
       => => # 30%"
    `);
    const box = end.slice(0, end.indexOf('Dockerfile:2'));
    expect(
      box
        .replace(/^ > [\s\S]*?(?=^\(earlier)/m, ' > <the command>\n')
        .replaceAll(/(^(<time> )?x+\n)+/gm, '<rows of x>\n'),
    ).toMatchInlineSnapshot(`
      "$ slipway build .
      [+] Building <time> (2/2) FINISHED
       => CACHED [1/2] F... <time>
       => ERROR [2/2] RU... <time>
      ------
       > <the command>
      (earlier lines are left out)
      <rows of x>
      <time> red^[c^H^H^N
      <time> 30%
      ------
      "
    `);
    expect(raw).not.toMatch(/\x1b\[(2J|H|\?1049h)|\x1b[\]Pc]|\x07|\x08|\x0e/);
    expect({ exitCode, modes }).toEqual({ exitCode: 1, modes: restored });
  });

  it('cuts long names to the width, those of characters of two columns too', async () => {
    const { end, exitCode } = await build(
      `FROM ${BASE_IMAGE} AS a-stage-with-a-name-that-is-longer-than-forty-columns
RUN : ${'漢字'.repeat(40)}
RUN : ${'long '.repeat(2000)}
`,
      { columns: 40 },
    );
    expect(exitCode).toBe(0);
    expect(end).toMatchInlineSnapshot(`
      "$ slipway build .
      [+] Building <time> (4/4) FINISHED
       => CACHED [1/3] F... <time>
       => [2/3] RUN : 漢字... <time>
       => [3/3] RUN : lo... <time>
       => exporting to image <time>
       => => writing ima... <time>"
    `);
  });

  it('ends at Ctrl-C with the whole picture and the terminal as it was', async () => {
    const { end, exitCode, modes } = await build(
      `FROM ${BASE_IMAGE}\nRUN echo ready && ${wait(1)}\nRUN true\n`,
      {
        steps: [{ expect: '# ready' }, { mark: 'running' }, { send: '\x03' }],
      },
    );
    expect(end).toMatchInlineSnapshot(`
      "$ slipway build .
      [+] Building <time> (2/3) FINISHED
       => CACHED [1/3] FROM docker.io/test/base:latest <time>
       => CANCELED [2/3] RUN echo ready && (sleep N || true) 2>/dev/null <time>
      ERROR: failed to build: failed to solve: the build was canceled"
    `);
    expect({ exitCode, modes }).toEqual({ exitCode: 130, modes: restored });
  });

  it('has colours, and with NO_COLOR none', async () => {
    const dockerfile = `FROM ${BASE_IMAGE}\nRUN exit 3\n`;
    const coloured = await build(dockerfile, { env: { NO_COLOR: undefined } });
    expect(coloured.raw).toContain('\x1b[31m');
    const plain = await build(dockerfile, { env: { NO_COLOR: '1' } });
    expect(plain.raw).toContain('\x1b[?25l');
    expect(plain.raw).not.toMatch(/\x1b\[[\d;]*m/);
    expect(plain.end).toBe(coloured.end);
  });

  it('is a plain log on a terminal that can nothing', async () => {
    const { raw, end, modes } = await build(`FROM ${BASE_IMAGE}\nRUN echo output\n`, {
      env: { TERM: 'dumb', NO_COLOR: undefined },
      redraws: false,
    });
    expect(raw).not.toContain('\x1b');
    expect(end).toContain('#5 [2/2] RUN echo output');
    expect(modes).toEqual(restored);
  });
});

/** Feeds a terminal, and gives what its screen showed at the marks. */
function play(terminal: Terminal, pieces: readonly TerminalPiece[]): Record<string, string> {
  const screens: Record<string, string> = {};
  terminal.write(PROMPT);
  for (const piece of pieces) {
    if ('data' in piece) terminal.write(piece.data.toString());
    else if ('mark' in piece) screens[piece.mark] = withoutTimes(terminal.screen());
    else terminal.resize(piece.resize[1], piece.resize[0]);
  }
  return screens;
}

/** Durations differ from run to run, and their width with them, and with that where names are cut. */
function withoutTimes(screen: string): string {
  return screen
    .replaceAll(/ +\d+\.\ds$/gm, ' <time>')
    .replaceAll(/^\[\+\] Building \d+\.\ds/gm, '[+] Building <time>')
    .replaceAll(/^\d+\.\d{3} /gm, '<time> ')
    .replaceAll(/sleep 1000[\d.]*/g, 'sleep N')
    .replaceAll(/^(.{10,18}).*\.\.\. <time>$/gm, '$1... <time>');
}
