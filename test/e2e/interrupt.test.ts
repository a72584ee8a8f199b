import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { ended, type SlipwayResult, startSlipway } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

/** Far above the second that is promised, and far below what the interrupted work would take. */
const PATIENCE_MS = 5_000;

describe('Ctrl-C', () => {
  const store = suiteStore();

  /** Interrupts a build like a terminal does, all processes of the group at once, after `when` has resolved. */
  async function interrupt(context: string, when: (output: () => string) => Promise<unknown>) {
    const child = startSlipway(
      ['build', '--no-cache', '--progress=plain', '-t', 'test/interrupted', context],
      {
        root: store.root,
        cwd: context,
        detached: true,
      },
    );
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const result = ended(child);
    await Promise.race([when(() => text), result]);
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGINT');
    const patience = new AbortController();
    const late = delay(PATIENCE_MS, 'late' as const, { signal: patience.signal }).catch(
      () => 'stopped' as const,
    );
    const outcome = await Promise.race([result, late]);
    patience.abort();
    if (outcome === 'late') {
      process.kill(-child.pid!, 'SIGKILL');
      await once(child, 'close');
    }
    return outcome;
  }

  async function expectNothingLeft(): Promise<void> {
    await expect.poll(() => leftovers(store.root), { timeout: 2_000, interval: 50 }).toEqual([]);
    expect((await store.run(['system', 'check'])).exitCode).toBe(0);
  }

  const until = (output: () => string, fragment: string) =>
    expect.poll(output, { timeout: 30_000, interval: 20 }).toContain(fragment);

  it('ends a RUN, and what it has started, with exit code 130', async () => {
    const context = store.context('sleeping', {
      Dockerfile: `FROM ${BASE_IMAGE}\nRUN (setsid sleep 1000 &) ; echo started; sleep 1000\n`,
    });
    expect(await interrupt(context, (output) => until(output, ' started'))).toMatchObject({ exitCode: 130 });
    await expectNothingLeft();
  });

  it('ends a RUN that ignores signals', async () => {
    const context = store.context('deaf', {
      Dockerfile: `FROM ${BASE_IMAGE}\nRUN trap '' INT TERM HUP; echo started; while :; do sleep 1; done\n`,
    });
    expect(await interrupt(context, (output) => until(output, ' started'))).toMatchObject({ exitCode: 130 });
    await expectNothingLeft();
  });

  it('ends the hashing of a large file', async () => {
    const context = store.context('large', { Dockerfile: `FROM ${BASE_IMAGE}\nCOPY zeros /zeros\n` });
    const fd = openSync(join(context, 'zeros'), 'w');
    // Without blocks on the disk, and many times the patience to read.
    ftruncateSync(fd, 24 * 2 ** 30);
    closeSync(fd);
    expect(await interrupt(context, () => delay(1_000))).toMatchObject({ exitCode: 130 });
    await expectNothingLeft();
  });

  describe('at random moments', () => {
    const seed = Number(process.env.SLIPWAY_TEST_SEED ?? Date.now() % 1_000_000);
    let context: string;
    beforeAll(() => {
      const files = Array.from({ length: 500 }, (_, index) => [
        `files/${index % 20}/f${index}`,
        `${index}\n`,
      ]);
      context = store.context('random', {
        ...Object.fromEntries(files),
        Dockerfile: [
          `FROM ${BASE_IMAGE} AS one`,
          'COPY files /files',
          'RUN dd if=/dev/zero of=/big bs=1048576 count=64',
          `FROM ${BASE_IMAGE}`,
          'RUN for i in 1 2 3 4 5 6 7 8; do mkdir /d$i; cp /bin/busybox /d$i/ || true; done',
          'RUN sleep 0.3',
          'COPY --from=one /big /files /',
          'RUN sleep 0.3',
          '',
        ].join('\n'),
      });
    });

    it.each(Array.from({ length: 10 }, (_, round) => round))('round %i', async (round) => {
      onTestFailed(() => {
        process.stderr.write(`SLIPWAY_TEST_SEED=${seed}\n`);
      });
      const moment = 1_500 * random(seed + round);
      const outcome = await interrupt(context, () => delay(moment));
      expect(outcome, `interrupted after ${moment} ms`).toSatisfy(endedInTime);
      await expectNothingLeft();
    });

    it('leaves a store in which the build then goes through', async () => {
      await store.ok(['build', '-t', 'test/after', context]);
      expect(await store.ok(['run', '--rm', 'test/after', 'cat', '/7/f7'])).toBe('7\n');
    });
  });
});

/** By its own handling, by the signal itself before that stands, or because it was through. */
function endedInTime(outcome: SlipwayResult | 'late' | 'stopped'): boolean {
  return (
    typeof outcome === 'object' &&
    (outcome.exitCode === 130 || outcome.exitCode === 0 || outcome.signal === 'SIGINT')
  );
}

/** A number in [0, 1) that only depends on the seed: one round of the mulberry32 generator. */
function random(seed: number): number {
  let state = (seed + 0x6d2b79f5) | 0;
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
}
