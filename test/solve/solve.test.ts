import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../src/errors/index.ts';
import type { Plan } from '../../src/plan/types.ts';
import type { BuildEvent } from '../../src/progress/events.ts';
import { failedNode } from '../../src/solve/failed-node.ts';
import { type Solved, solve } from '../../src/solve/solve.ts';
import { type Behaviour, commandPlan, memoryCache, memoryExecutor, prepareCommand } from './memory.ts';

/** Builds a plan; gives what the executor did and how each node ended. */
async function run(
  plan: Plan,
  options: {
    cache?: ReturnType<typeof memoryCache>;
    behaviours?: Record<string, Behaviour>;
    jobs?: number;
    signal?: AbortSignal;
  } = {},
): Promise<{ solved?: Solved; error?: unknown; log: string[]; outcomes: Record<string, string> }> {
  const { cache = memoryCache(), behaviours = {}, jobs = 4, signal = new AbortController().signal } = options;
  const executor = memoryExecutor(behaviours);
  const outcomes: Record<string, string> = {};
  const onEvent = (event: BuildEvent): void => {
    if (event.type === 'ended') outcomes[event.vertex] = event.outcome;
  };
  const all = { plan, cache, prepare: prepareCommand, executor: async () => executor, onEvent, signal, jobs };
  try {
    return { solved: await solve(all), log: executor.log, outcomes };
  } catch (error) {
    return { error, log: executor.log, outcomes };
  }
}

function gate(): { open: () => void; promise: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, promise };
}

const CHAIN = commandPlan({ a: ['one', 'scratch'], b: ['two', 'a'], c: ['three', 'b'] });

describe('reuse', () => {
  test('a second build of the same plan runs nothing', async () => {
    const cache = memoryCache();
    const first = await run(CHAIN, { cache });
    const second = await run(CHAIN, { cache });
    expect(first.log.filter((line) => line.startsWith('start'))).toEqual([
      'start one',
      'start two',
      'start three',
    ]);
    expect(second.log).toEqual([]);
    expect(second.outcomes).toEqual({ a: 'cached', b: 'cached', c: 'cached' });
    expect(second.solved).toMatchObject({ ran: 0, reused: 3 });
  });

  test('a changed command runs again with all that stands on it, and nothing before it', async () => {
    const cache = memoryCache();
    await run(CHAIN, { cache });
    const changed = commandPlan({ a: ['one', 'scratch'], b: ['other', 'a'], c: ['three', 'b'] });
    const { outcomes } = await run(changed, { cache });
    expect(outcomes).toEqual({ a: 'cached', b: 'done', c: 'done' });
  });

  test('a step whose parent ran again with the same result is found by content', async () => {
    const cache = memoryCache();
    await run(CHAIN, { cache });
    const changed = commandPlan({ a: ['one', 'scratch'], b: ['other', 'a'], c: ['three', 'b'] });
    const { outcomes } = await run(changed, { cache, behaviours: { other: { content: 'two' } } });
    expect(outcomes).toEqual({ a: 'cached', b: 'done', c: 'cached' });
  });

  test('a step that reads another stage is found by the content of that stage', async () => {
    const cache = memoryCache();
    await run(commandPlan({ s: ['make', 'scratch'], b: ['base', 'scratch'], c: ['use', 'b', 's'] }), {
      cache,
    });
    const changed = commandPlan({
      s: ['make again', 'scratch'],
      b: ['base', 'scratch'],
      c: ['use', 'b', 's'],
    });
    const same = await run(changed, { cache, behaviours: { 'make again': { content: 'make' } } });
    expect(same.outcomes).toEqual({ s: 'done', b: 'cached', c: 'cached' });
    const differs = commandPlan({
      s: ['make more', 'scratch'],
      b: ['base', 'scratch'],
      c: ['use', 'b', 's'],
    });
    expect((await run(differs, { cache })).outcomes).toEqual({ s: 'done', b: 'cached', c: 'done' });
  });

  test('a node marked to run again does, and its result is recorded anew', async () => {
    const cache = memoryCache();
    await run(CHAIN, { cache });
    const again = structuredClone(CHAIN);
    again.nodes[2]!.noCache = true;
    expect((await run(again, { cache })).outcomes).toEqual({ a: 'cached', b: 'done', c: 'cached' });
  });

  test('identical steps of one build run once', async () => {
    const plan = commandPlan({
      x: ['same', 'scratch'],
      y: ['same', 'scratch'],
      z: ['join', 'x', 'y'],
    });
    const { log, outcomes } = await run(plan);
    expect(log.filter((line) => line === 'start same')).toHaveLength(1);
    expect(Object.values(outcomes).sort()).toEqual(['cached', 'done', 'done']);
  });

  test('a step that another process has claimed is waited for and its result reused', async () => {
    const cache = memoryCache();
    const plan = commandPlan({ a: ['one', 'scratch'] });
    const held = gate();
    const slow = run(plan, { cache, behaviours: { one: { until: held.promise } } });
    await expect.poll(() => cache.claims.size).toBe(1);
    const waiting = run(plan, { cache });
    held.open();
    expect((await slow).outcomes).toEqual({ a: 'done' });
    expect(await waiting).toMatchObject({ log: [], outcomes: { a: 'cached' } });
  });

  test('when the one that claimed a step fails, the one that waited runs it', async () => {
    const cache = memoryCache();
    const plan = commandPlan({ a: ['one', 'scratch'] });
    const held = gate();
    const slow = run(plan, { cache, behaviours: { one: { until: held.promise, fail: 1 } } });
    await expect.poll(() => cache.claims.size).toBe(1);
    const waiting = run(plan, { cache });
    held.open();
    expect((await slow).outcomes).toEqual({ a: 'failed' });
    expect((await waiting).outcomes).toEqual({ a: 'done' });
  });
});

describe('order', () => {
  test('a step does not wait for the digest of its parent', async () => {
    const held = gate();
    const building = run(commandPlan({ a: ['one', 'scratch'], b: ['two', 'a'] }), {
      behaviours: { one: { digestAfter: held.promise }, two: { onStart: held.open } },
    });
    const { log } = await building;
    expect(log.indexOf('start two')).toBeLessThan(log.indexOf('digested one'));
  });

  test('a step that reads another stage waits for its digest', async () => {
    const plan = commandPlan({ s: ['make', 'scratch'], c: ['use', 'scratch', 's'] });
    const { log } = await run(plan);
    expect(log).toEqual(['start make', 'end make', 'digested make', 'start use', 'end use', 'digested use']);
  });

  test('independent steps run at the same time, as many as are allowed', async () => {
    const plan = commandPlan({
      x: ['left', 'scratch'],
      y: ['right', 'scratch'],
      z: ['join', 'x', 'y'],
    });
    const both = await run(plan, { jobs: 2 });
    expect(both.log.slice(0, 2)).toEqual(['start left', 'start right']);
    const one = await run(plan, { jobs: 1 });
    expect(one.log.slice(0, 2)).toEqual(['start left', 'end left']);
  });

  test('what the target does not need is not touched', async () => {
    const plan = commandPlan({ unused: ['waste', 'scratch'], a: ['one', 'scratch'] });
    expect((await run(plan)).log).toEqual(['start one', 'end one', 'digested one']);
  });
});

describe('failure', () => {
  test('the first failure cancels the rest, is the one that is thrown, and what had finished is kept', async () => {
    const cache = memoryCache();
    const held = gate();
    const plan = commandPlan({
      x: ['good', 'scratch'],
      bad: ['bad', 'x'],
      y: ['long', 'scratch'],
      z: ['join', 'bad', 'y'],
    });
    const { error, outcomes } = await run(plan, {
      cache,
      behaviours: { bad: { fail: 3 }, long: { until: held.promise } },
    });
    expect(error).toMatchObject({ code: 'STEP_FAILED', exitCode: 3 });
    expect(failedNode(error)?.id).toBe('bad');
    expect(outcomes).toEqual({ x: 'done', bad: 'failed', y: 'canceled' });
    expect(cache.claims.size).toBe(0);
    expect((await run(plan, { cache })).outcomes).toEqual({ x: 'cached', bad: 'done', y: 'done', z: 'done' });
  });

  test('a record that cannot be written fails the build, and leaves no promise behind', async () => {
    const cache = memoryCache();
    cache.noteRun = () => {
      throw new SlipwayError('exhausted', 'no space left', { code: 'NO_SPACE' });
    };
    const late = gate();
    const { error, outcomes } = await run(commandPlan({ a: ['one', 'scratch'] }), {
      cache,
      behaviours: { one: { digestAfter: late.promise.then(() => Promise.reject(new Error('worker gone'))) } },
    });
    expect(error).toMatchObject({ code: 'NO_SPACE' });
    expect(outcomes).toEqual({ a: 'failed' });
    late.open();
    // An unhandled rejection would fail the run of the tests.
    await new Promise((resolve) => setImmediate(resolve));
  });

  test('an abort from outside cancels what runs', async () => {
    const controller = new AbortController();
    const forever = new Promise(() => {});
    const building = run(CHAIN, { behaviours: { one: { until: forever } }, signal: controller.signal });
    setImmediate(() => controller.abort());
    const { error, outcomes } = await building;
    expect(error).toBeDefined();
    expect(outcomes.b).toBeUndefined();
  });
});
