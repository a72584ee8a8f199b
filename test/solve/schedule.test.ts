import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Executor } from '../../src/execute/executor.ts';
import type { RunOperation } from '../../src/plan/types.ts';
import { solve } from '../../src/solve/solve.ts';
import { randomOf } from '../robustness/random.ts';
import { commandPlan, memoryCache, prepareCommand } from './memory.ts';

const STEPS = 60;
const JOBS = 4;
const LENGTH = 15_000;

interface Step {
  name: string;
  duration: number;
  /** Indices of earlier steps. */
  after: number[];
}

/**
 * A graph for which there is an order that keeps all jobs busy to the end: lanes filled to the same length, and steps
 * that wait only for what has ended, in its lane, when they begin.
 */
function makeGraph(seed: number): Step[] {
  const random = randomOf(seed);
  const placed: { begin: number; end: number }[] = [];
  for (let lane = 0; lane < JOBS; lane++) {
    const weights = Array.from({ length: STEPS / JOBS }, () => 0.3 + random());
    const scale = LENGTH / weights.reduce((sum, weight) => sum + weight, 0);
    let at = 0;
    for (const weight of weights) {
      placed.push({ begin: at, end: at + weight * scale });
      at += weight * scale;
    }
  }
  placed.sort((a, b) => a.begin - b.begin);
  return placed.map(({ begin, end }, index) => {
    const before = placed.slice(0, index).flatMap((other, at) => (other.end <= begin ? [at] : []));
    const after = before
      .slice(-6)
      .filter(() => random() < 0.25)
      .slice(0, 2);
    return { name: `step ${index}`, duration: end - begin, after };
  });
}

/** Steps that take time of a clock that goes on when nothing else can. */
class ClockedExecutor implements Executor {
  now = 0;
  readonly #durations: ReadonlyMap<string, number>;
  #running: { end: number; resolve: () => void }[] = [];

  constructor(steps: readonly Step[]) {
    this.#durations = new Map(steps.map(({ name, duration }) => [name, duration]));
  }

  async execute(request: Parameters<Executor['execute']>[0]): ReturnType<Executor['execute']> {
    const { command } = (request.step as { operation: RunOperation }).operation;
    await new Promise<void>((resolve) => {
      this.#running.push({ end: this.now + (this.#durations.get(command) ?? 0), resolve });
    });
    const diffId = `sha256:${Buffer.from(command).toString('hex').padStart(64, '0')}`;
    return { digest: Promise.resolve({ diffId, tarSize: 1, size: 1, packer: 1, recipe: {} }) };
  }

  async sync(): Promise<void> {}

  /** Lets the clock run until the build has ended. */
  async run(build: Promise<unknown>): Promise<void> {
    let ended = false;
    const end = build.finally(() => {
      ended = true;
    });
    while (!ended) {
      for (let turns = 0; turns < 8; turns++) await turn();
      this.#running.sort((a, b) => a.end - b.end);
      const next = this.#running.shift();
      if (next === undefined) continue;
      this.now = next.end;
      next.resolve();
    }
    await end;
  }
}

async function duration(steps: readonly Step[]): Promise<number> {
  const cache = memoryCache();
  for (const { name, duration: durationMs } of steps) cache.noteRun(name, { durationMs });
  const ends = steps
    .map((_, index) => `n${index}`)
    .filter((_, index) => !steps.some(({ after }) => after.includes(index)));
  const plan = commandPlan({
    ...Object.fromEntries(
      steps.map(({ name, after }, index): [string, [string, string, ...string[]]] => {
        const [parent = 'scratch', ...others] = after.map((other) => `n${other}`);
        return [`n${index}`, [name, parent, ...others]];
      }),
    ),
    all: ['all', ends[0]!, ...ends.slice(1)],
  });
  const executor = new ClockedExecutor(steps);
  await executor.run(
    solve({
      plan,
      cache,
      prepare: prepareCommand,
      executor: async () => executor,
      onEvent: () => {},
      signal: new AbortController().signal,
      jobs: JOBS,
    }),
  );
  return executor.now;
}

test(`graphs of ${STEPS} steps take at most 5 % more than the longest path or what the jobs can do`, async () => {
  const ratios: number[] = [];
  for (let seed = 1; seed <= 20; seed++) {
    const steps = makeGraph(seed);
    const total = steps.reduce((sum, step) => sum + step.duration, 0);
    const ends: number[] = [];
    for (const step of steps)
      ends.push(step.duration + Math.max(0, ...step.after.map((other) => ends[other]!)));
    ratios.push((await duration(steps)) / Math.max(total / JOBS, ...ends));
  }
  ratios.sort((a, b) => a - b);
  expect(ratios[0]).toBeGreaterThanOrEqual(0.9999);
  expect(ratios.at(-1)).toBeLessThan(1.05);
});
