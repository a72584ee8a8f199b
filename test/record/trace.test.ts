import { expect, test } from 'vitest';
import { chromeTrace } from '../../src/record/export/chrome-trace.ts';
import { BuildHistory } from '../../src/record/history.ts';
import { BuildRecorder } from '../../src/record/recorder.ts';
import { solve } from '../../src/solve/solve.ts';
import { commandPlan, memoryCache, memoryExecutor, prepareCommand } from '../solve/memory.ts';
import { suiteFolder } from '../support/folders.ts';

interface TraceEvent {
  name: string;
  cat?: string;
  ts: number;
  dur: number;
}

const folder = suiteFolder('big');

test('the next step runs while the layer before it is still being digested', async () => {
  const plan = commandPlan({ a: ['one', 'scratch'], b: ['two', 'a'], c: ['three', 'b'] });
  const recorder = new BuildRecorder({ root: folder.path, subject: { file: 'f', context: 'c' }, tags: [] });
  recorder.plan(plan);
  const end = Promise.withResolvers<void>();
  // No digest is known before the last step is at work: a build that waited for one would never end.
  const executor = memoryExecutor({
    one: { digestAfter: end.promise },
    two: { digestAfter: end.promise },
    three: { onStart: () => end.resolve() },
  });
  await solve({
    plan,
    cache: memoryCache(),
    prepare: prepareCommand,
    executor: async () => executor,
    onEvent: (event) => recorder.event(event),
    observer: recorder,
    signal: new AbortController().signal,
    jobs: 1,
  });
  await recorder.finish({});
  const record = new BuildHistory(folder.path).find(recorder.id);
  const { traceEvents } = chromeTrace(record) as { traceEvents: TraceEvent[] };
  const span = (name: string, cat: string) => {
    const { ts, dur } = traceEvents.find((event) => event.name === name && event.cat === cat)!;
    return { start: ts, end: ts + dur };
  };
  expect(span('digest of one', 'digest').start).toBe(span('one', 'step').end);
  for (const name of ['one', 'two'])
    expect(span(`digest of ${name}`, 'digest').end).toBeGreaterThanOrEqual(span('three', 'step').start);
  expect(executor.log.indexOf('start three')).toBeLessThan(executor.log.indexOf('digested one'));
});
