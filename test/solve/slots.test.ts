import { describe, expect, test } from 'vitest';
import { Slots } from '../../src/solve/slots.ts';

interface Asked {
  name: string;
  priority?: number;
  memory?: number;
}

/** Runs work that ends when told to; `log` has the names in the order in which they started. */
function runner(limits: { jobs: number; memoryBudget?: number }) {
  const slots = new Slots(limits);
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const results: Promise<void>[] = [];
  return {
    log,
    ask({ name, priority = 0, memory = 0 }: Asked): void {
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.set(name, resolve);
      const work = (): Promise<void> => {
        log.push(name);
        return promise;
      };
      results.push(slots.run({ priority, memory }, work));
    },
    async end(name: string): Promise<void> {
      ends.get(name)!();
      await settled();
    },
    all: () => Promise.all(results),
  };
}

/** Whatever can start has started. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('slots', () => {
  test('are as many as there are jobs, and go to the highest priority of all that is ready', async () => {
    const run = runner({ jobs: 2 });
    for (const priority of [1, 3, 2, 5, 4]) run.ask({ name: `p${priority}`, priority });
    await expect.poll(() => run.log).toEqual(['p5', 'p4']);
    await run.end('p4');
    expect(run.log).toEqual(['p5', 'p4', 'p3']);
    for (const name of ['p5', 'p3', 'p2', 'p1']) await run.end(name);
    await run.all();
    expect(run.log).toEqual(['p5', 'p4', 'p3', 'p2', 'p1']);
  });

  test('what a step makes ready takes part when its slot is given on', async () => {
    const slots = new Slots({ jobs: 1 });
    const log: string[] = [];
    const step = (name: string, priority: number): Promise<void> =>
      slots.run({ priority, memory: 0 }, async () => void log.push(name));
    const short = [1, 2, 3].map((number) => step(`short ${number}`, 1));
    await step('long 1', 9);
    await step('long 2', 8);
    await step('long 3', 7);
    await Promise.all(short);
    expect(log).toEqual(['long 1', 'long 2', 'long 3', 'short 1', 'short 2', 'short 3']);
  });

  test('steps go together as far as their memory fits; smaller ones pass one that does not', async () => {
    const run = runner({ jobs: 8, memoryBudget: 100 });
    run.ask({ name: 'a', priority: 9, memory: 60 });
    run.ask({ name: 'b', priority: 8, memory: 50 });
    run.ask({ name: 'c', priority: 7, memory: 40 });
    run.ask({ name: 'd', priority: 6, memory: 1 });
    await expect.poll(() => run.log).toEqual(['a', 'c']);
    await run.end('c');
    expect(run.log).toEqual(['a', 'c', 'd']);
    await run.end('a');
    expect(run.log).toEqual(['a', 'c', 'd', 'b']);
    for (const name of ['b', 'd']) await run.end(name);
    await run.all();
  });

  test('one always runs, however small the budget', async () => {
    const run = runner({ jobs: 8, memoryBudget: 10 });
    run.ask({ name: 'a', priority: 2, memory: 1000 });
    run.ask({ name: 'b', priority: 1, memory: 1000 });
    run.ask({ name: 'copy', memory: 0 });
    await expect.poll(() => run.log).toEqual(['a']);
    await run.end('a');
    expect(run.log).toEqual(['a', 'b']);
    await run.end('b');
    expect(run.log).toEqual(['a', 'b', 'copy']);
    await run.end('copy');
    await run.all();
  });

  test('a step that fails gives its slot and its memory back', async () => {
    const slots = new Slots({ jobs: 1, memoryBudget: 10 });
    const fail = (): Promise<never> => Promise.reject(new Error('no'));
    const failing = [1, 2, 3].map(() => slots.run({ priority: 0, memory: 8 }, fail));
    for (const result of failing) await expect(result).rejects.toThrow('no');
    await expect(slots.run({ priority: 0, memory: 8 }, async () => 'yes')).resolves.toBe('yes');
  });
});
