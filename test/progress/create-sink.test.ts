import { expect, it } from 'vitest';
import { createSink, effectiveMode } from '../../src/progress/create-sink.ts';
import { announced, ended, log, play, started, TestClock } from './feed.ts';

const terminal = { write: () => true, isTTY: true };
const file = { write: () => true };

it.each([
  ['auto', terminal, {}, 'tty'],
  ['auto', terminal, { TERM: 'xterm', NO_COLOR: '1' }, 'tty'],
  ['auto', terminal, { TERM: 'dumb' }, 'plain'],
  ['auto', file, {}, 'plain'],
  ['tty', file, {}, 'plain'],
  ['plain', terminal, {}, 'plain'],
  ['none', terminal, {}, 'quiet'],
  ['quiet', file, {}, 'quiet'],
  ['rawjson', terminal, {}, 'rawjson'],
] as const)('%s', (mode, stream, env, effective) => {
  expect(effectiveMode(mode, stream, env)).toBe(effective);
});

it('sends no colours with NO_COLOR', async () => {
  let text = '';
  const clock = new TestClock();
  const stream = { write: (more: string) => (text += more), isTTY: true };
  const sink = await createSink('tty', stream, { env: { NO_COLOR: '1' }, clock });
  play([announced('a', 'A'), started(0, 'a'), ended(1, 'a')], sink, clock);
  await sink.close();
  expect(text).toContain('=> A');
  expect(text).not.toMatch(/\x1b\[[0-9;]*m/);
});

it('says nothing when quiet, but for the log of a failed step', async () => {
  let text = '';
  const clock = new TestClock();
  const sink = await createSink('quiet', { write: (more: string) => (text += more) }, { env: {}, clock });
  play(
    [announced('a', 'RUN a'), announced('b', 'RUN b'), started(0, 'a'), log(0, 'a', 'a\n'), ended(1, 'a')],
    sink,
    clock,
  );
  expect(text).toBe('');
  play([started(1, 'b'), log(1.5, 'b', 'half\nway'), ended(2, 'b', 'failed', 'exit code: 1')], sink, clock);
  await sink.close();
  expect(text).toBe('------\n > RUN b:\n0.500 half\n0.500 way\n------\n');
});

it('keeps only the end of a long log for the failure, and says so', async () => {
  let text = '';
  const clock = new TestClock();
  const sink = await createSink('quiet', { write: (more: string) => (text += more) }, { env: {}, clock });
  const line = `${'x'.repeat(99)}\n`;
  play(
    [
      announced('a', 'A'),
      started(0, 'a'),
      ...Array.from({ length: 100 }, () => log(0, 'a', line.repeat(100))),
    ],
    sink,
    clock,
  );
  play([log(0, 'a', 'the end\n'), ended(1, 'a', 'failed')], sink, clock);
  await sink.close();
  expect(text.startsWith('------\n > A:\n(earlier lines are left out)\n0.000 xxx')).toBe(true);
  expect(text.endsWith('0.000 the end\n------\n')).toBe(true);
  expect(text.length).toBeLessThan(300_000);
  expect(text.length).toBeGreaterThan(250_000);
});

it('keeps the end of a line that is longer than all that is kept', async () => {
  let text = '';
  const clock = new TestClock();
  const sink = await createSink('quiet', { write: (more: string) => (text += more) }, { env: {}, clock });
  play(
    [
      announced('a', 'A'),
      started(0, 'a'),
      log(0, 'a', `${'x'.repeat(1_000_000)}y\nz\n`),
      ended(1, 'a', 'failed'),
    ],
    sink,
    clock,
  );
  await sink.close();
  expect(text.slice(-20)).toBe('xxxy\n0.000 z\n------\n');
  expect(text.length).toBeGreaterThan(250_000);
  expect(text.length).toBeLessThan(300_000);
});
