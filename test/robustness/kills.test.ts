import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { endLease, startLease } from '../../src/store/leases.ts';
import { type OrdinaryUser, ordinaryUser, ownFolder } from '../rootless/ordinary-user.ts';
import { suiteFolder } from '../support/folders.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { type CommandResult, command, resultOf, startCommand } from './command.ts';
import { workerOf } from './processes.ts';
import { randomOf, testSeed } from './random.ts';
import { forget, type Ground, makeGround, type Scenario, stepKeys } from './scenarios.ts';

const KILLS = Number(process.env.SLIPWAY_TEST_KILLS ?? 200);
const NAMES = ['run', 'copy', 'delta', 'commit', 'import', 'load', 'save'];
const VICTIMS = ['front', 'worker', 'middle'] as const;
const seed = testSeed();
const WHAT = `kill -9 at random moments (SLIPWAY_TEST_SEED=${seed})`;

/** What a scenario gives when nobody disturbs it. */
interface Undisturbed {
  visible: string;
  /** Milliseconds from its start. */
  durationMs: number;
  workerMs: number;
}

interface Killed {
  result: CommandResult;
  /** False when it was through before. */
  hit: boolean;
}

describeWith({ needs: [root()] }, `${KILLS} ${WHAT}`, () => {
  const folder = suiteFolder('big');
  killAtRandom(KILLS, () => ({ folder: folder.path }));
});

const users = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];
/** Two for each scenario, of the front and of the worker. */
const FEW = Math.ceil(KILLS / 17);

describeWith({ needs: users }, `${FEW} ${WHAT}, of a user with subordinate ids`, () => {
  const user = ordinaryUser(['22000000:65536']);
  killAtRandom(FEW, () => ({ folder: ownFolder(user, 'kills'), user }));
});

describeWith({ needs: users }, `${FEW} ${WHAT}, of a user with a single id`, () => {
  const user = ordinaryUser([]);
  killAtRandom(FEW, () => ({ folder: ownFolder(user, 'kills'), user }));
});

function killAtRandom(kills: number, place: () => { folder: string; user?: OrdinaryUser }): void {
  const known = new Map<string, Undisturbed>();
  const tally = { hit: 0, missed: 0, reused: 0 };
  let folder: string;
  let user: OrdinaryUser | undefined;
  let ground: Ground;

  beforeAll(async () => {
    ({ folder, user } = place());
    ground = await makeGround(folder, { user });
    for (const scenario of ground.scenarios) {
      // The faster of two: kills that come after the end show nothing.
      const [one, two] = [await measure(ground, scenario), await measure(ground, scenario)];
      known.set(scenario.name, one.durationMs < two.durationMs ? one : two);
    }
  });
  afterAll(() => {
    process.stderr.write(`seed ${seed}: ${JSON.stringify(tally)}\n`);
    ground?.store.close();
  });

  describe.each(NAMES)('%s', (name) => {
    const count = Math.ceil(kills / NAMES.length);
    it.each(Array.from({ length: count }, (_, round) => round))('round %i', async (round) => {
      onTestFailed(() => {
        process.stderr.write(`SLIPWAY_TEST_SEED=${seed}\n`);
      });
      const scenario = ground.scenarios.find((each) => each.name === name)!;
      const undisturbed = known.get(name)!;
      const random = randomOf(seed + 1000 * NAMES.indexOf(name) + round);
      const victim = VICTIMS[round % VICTIMS.length]!;
      const span =
        victim === 'front' ? undisturbed.durationMs : undisturbed.durationMs - undisturbed.workerMs;
      // Some workers die before they have said a word.
      const early = round % 8 === 1;
      const delayMs = early ? 0 : span * random();
      const { result, hit } = await killOnce(ground, scenario, { victim, delayMs, early });
      const what = `${victim} killed after ${delayMs.toFixed(0)} of ${span.toFixed(0)} ms\n${result.stderr}`;
      tally[hit ? 'hit' : 'missed']++;
      try {
        await expect.poll(() => leftovers(folder), { timeout: 5_000, interval: 20 }).toEqual([]);
        // A name stands for the whole thing or is not there.
        expect([undefined, undisturbed.visible], what).toContain(scenario.visible());
        // What the dead left is told and cleared away; anything else gives another exit code.
        const checked = await command(['system', 'check'], ground.options);
        expect(checked.exitCode, what + checked.stdout).toBe(0);
        const whole = stepKeys(ground.store).length;
        tally.reused += whole;
        const again = await command(scenario.args, ground.options);
        expect(again.exitCode, what + again.stderr).toBe(0);
        expect(scenario.visible(), what).toBe(undisturbed.visible);
        expect(cachedSteps(again.stderr), what + again.stderr).toBe(whole);
        expect(await problems(ground), what).toEqual([]);
        if (hit && victim !== 'front') expect(result, what).toSatisfy(saysWhatHappened);
      } finally {
        forget(ground, scenario);
      }
    });
  });
}

/** Steps in the plain output of a build whose result was there; a base image is no step. */
function cachedSteps(output: string): number {
  const count = (pattern: RegExp): number => [...output.matchAll(pattern)].length;
  return count(/^#\d+ CACHED$/gm) - count(/^#\d+ \[[^\]]*\] FROM /gm);
}

/**
 * All that `system check` looks at, without a worker of its own and without clearing anything away. Layers whose owners
 * are mapped are for their user to read.
 */
async function problems({ store, options }: Ground): Promise<unknown[]> {
  if (options.user !== undefined) {
    const { exitCode, stdout } = await command(['system', 'check'], options);
    return exitCode === 0 ? [] : [stdout];
  }
  const lease = startLease(store);
  try {
    return [...checkIndex(store), ...(await checkLayers(store.root, lease, layerChecks(store)))];
  } finally {
    endLease(store, lease);
  }
}

/** The front that lost its worker ends by itself, with an error that people understand. */
function saysWhatHappened({ exitCode, stderr }: CommandResult): boolean {
  if (exitCode === 0) return true;
  return exitCode === 1 && /the worker process is gone/.test(stderr);
}

async function measure(ground: Ground, scenario: Scenario): Promise<Undisturbed> {
  const start = performance.now();
  const child = startCommand(scenario.args, { ...ground.options, stdio: 'ignore' });
  const ended = resultOf(child);
  await workerAtWork(child, ground);
  const workerMs = performance.now() - start;
  expect((await ended).exitCode).toBe(0);
  const durationMs = performance.now() - start;
  const visible = scenario.visible();
  if (scenario.steps > 0) expect(stepKeys(ground.store)).toHaveLength(scenario.steps);
  forget(ground, scenario);
  return { visible: visible!, durationMs, workerMs };
}

async function killOnce(
  ground: Ground,
  scenario: Scenario,
  plan: { victim: (typeof VICTIMS)[number]; delayMs: number; early: boolean },
): Promise<Killed> {
  const child = startCommand(scenario.args, ground.options);
  child.stdin!.end();
  const ended = resultOf(child);
  let pid: number | undefined = child.pid!;
  if (plan.victim !== 'front')
    pid = (await workerAtWork(child, plan.early ? undefined : ground))?.[plan.victim];
  await Promise.race([sleep(plan.delayMs), ended]);
  const hit = pid !== undefined && kill(pid);
  return { result: await ended, hit };
}

/** The worker of a command, once it has opened the store (with `ground`) or is there at all. */
async function workerAtWork(child: ChildProcess, ground?: Ground): Promise<ReturnType<typeof workerOf>> {
  let found: ReturnType<typeof workerOf>;
  while (child.exitCode === null && child.signalCode === null) {
    found ??= workerOf(child.pid!);
    if (found && (!ground || readdirSync(join(ground.store.root, 'active')).length > 0)) break;
    await sleep(1);
  }
  return found;
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
