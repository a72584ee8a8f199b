import { expect, it } from 'vitest';
import { rawJsonSink } from '../../src/progress/rawjson.ts';
import { announced, ended, log, play, START, started, status, TestClock } from './feed.ts';

it('writes messages as BuildKit does, one per line', () => {
  const lines: string[] = [];
  const sink = rawJsonSink({ write: (line) => lines.push(line) });
  const digest = `sha256:${'a'.repeat(64)}`;
  play(
    [
      announced(digest, '[internal] load build definition from Dockerfile'),
      ended(0.25, digest, 'cached'),
      announced('n1', '[1/1] RUN make\u009b', [digest]),
      started(1.0005, 'n1'),
      status(1.5, 'n1', { id: 'copying files', current: 3, total: 7, unit: 'items' }),
      log(2, 'n1', Buffer.from([0x68, 0x69, 0xff, 0x0a])),
      ended(3, 'n1', 'failed', 'exit code: 3'),
      [
        3,
        {
          type: 'warning',
          vertex: 'n1',
          code: 'StageNameCasing',
          message: 'Stage name',
          range: { start: { offset: 4, line: 2, column: 3 }, end: { offset: 9, line: 2, column: 8 } },
        },
      ],
    ],
    sink,
    new TestClock(),
  );
  expect(lines.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1)).toBe(true);
  expect(JSON.parse(lines[0]!)).toEqual({
    vertexes: [{ digest, name: '[internal] load build definition from Dockerfile' }],
  });
  expect(lines.join('').replaceAll('a'.repeat(64), '(a)')).toMatchInlineSnapshot(`
    "{"vertexes":[{"digest":"sha256:(a)","name":"[internal] load build definition from Dockerfile"}]}
    {"vertexes":[{"digest":"sha256:(a)","name":"[internal] load build definition from Dockerfile","started":"2026-01-02T03:04:05.250Z","completed":"2026-01-02T03:04:05.250Z","cached":true}]}
    {"vertexes":[{"digest":"sha256:676b8bb84ce7267dd520deca4811c8f10a53e636352f06987f42fe425acedd80","inputs":["sha256:(a)"],"name":"[1/1] RUN make\\u009b"}]}
    {"vertexes":[{"digest":"sha256:676b8bb84ce7267dd520deca4811c8f10a53e636352f06987f42fe425acedd80","inputs":["sha256:(a)"],"name":"[1/1] RUN make\\u009b","started":"2026-01-02T03:04:06.000500Z"}]}
    {"statuses":[{"id":"copying files","vertex":"sha256:676b8bb84ce7267dd520deca4811c8f10a53e636352f06987f42fe425acedd80","name":"copying files","total":7,"current":3,"timestamp":"2026-01-02T03:04:06.500Z","started":"2026-01-02T03:04:06.500Z"}]}
    {"logs":[{"vertex":"sha256:676b8bb84ce7267dd520deca4811c8f10a53e636352f06987f42fe425acedd80","stream":1,"data":"aGn/Cg==","timestamp":"2026-01-02T03:04:07.000Z"}]}
    {"vertexes":[{"digest":"sha256:676b8bb84ce7267dd520deca4811c8f10a53e636352f06987f42fe425acedd80","inputs":["sha256:(a)"],"name":"[1/1] RUN make\\u009b","started":"2026-01-02T03:04:06.000500Z","completed":"2026-01-02T03:04:08.000Z","error":"exit code: 3"}]}
    {"warnings":[{"vertex":"sha256:676b8bb84ce7267dd520deca4811c8f10a53e636352f06987f42fe425acedd80","level":1,"short":"U3RhZ2VOYW1lQ2FzaW5nOiBTdGFnZSBuYW1l","range":[{"start":{"line":2,"character":2},"end":{"line":2,"character":7}}]}]}
    "
  `);
  expect(new Date(START).toISOString()).toBe('2026-01-02T03:04:05.000Z');
});
