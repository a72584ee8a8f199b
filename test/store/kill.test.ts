import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { writeDockerArchive } from '../../src/export/docker-archive.ts';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { deleteGarbage } from '../../src/store/collect.ts';
import { collectGarbage, forgetGarbage } from '../../src/store/garbage.ts';
import { listImages } from '../../src/store/images.ts';
import { endLease, startLease } from '../../src/store/leases.ts';
import type { Store } from '../../src/store/store.ts';
import { exported, helloImage } from '../export/support.ts';
import { randomOf } from './random.ts';
import { newStore, startScript, tempDir } from './support.ts';

const ROUNDS = Number(process.env.SLIPWAY_TEST_ROUNDS ?? 40);

async function archive(): Promise<string> {
  const store = newStore();
  const lease = startLease(store);
  helloImage(store, lease, ['docker.io/library/loaded:1']);
  const path = join(tempDir(), 'a.tar');
  await writeDockerArchive(exported(store, 'loaded:1'), { kind: 'file', path });
  return path;
}

/** A writer at work, and its end. */
async function writer(
  root: string,
  seed: number,
  input: string,
): Promise<{ child: ChildProcess; ended: Promise<unknown> }> {
  const { promise: begun, resolve } = Promise.withResolvers<unknown>();
  const child = startScript(new URL('./writer.ts', import.meta.url), [root, `${seed}`, input], resolve);
  const ended = new Promise((done) => child.once('close', done));
  await Promise.race([begun, ended]);
  expect(child.exitCode).toBeNull();
  return { child, ended };
}

/** Everything that is wrong, with what dead processes left swept away. */
async function problems(store: Store): Promise<unknown[]> {
  const garbage = collectGarbage(store);
  deleteGarbage(store.root, garbage);
  forgetGarbage(store, garbage.layers);
  const lease = startLease(store);
  const found = [...checkIndex(store), ...(await checkLayers(store.root, lease, layerChecks(store)))];
  endLease(store, lease);
  return found;
}

test(`a store is whole after ${ROUNDS} kill -9 at any moment`, async () => {
  const seed = Number(process.env.SLIPWAY_TEST_SEED ?? Date.now() % 1_000_000);
  const random = randomOf(seed);
  const store = newStore();
  const input = await archive();
  for (let round = 0; round < ROUNDS; round++) {
    const { child, ended } = await writer(store.root, seed + round, input);
    await setTimeout(random(120));
    child.kill('SIGKILL');
    await ended;
    // It did not end by itself.
    expect(child.signalCode, `seed ${seed}, round ${round}`).toBe('SIGKILL');
    expect(await problems(store), `seed ${seed}, round ${round}`).toEqual([]);
  }
  expect(listImages(store).length, `seed ${seed}`).toBeGreaterThan(0);
  expect(fs.readdirSync(join(store.root, 'locks'))).toEqual([]);
});

test.each(['WAL', 'DELETE'])(
  'two writers at once, one killed, do not harm each other (journal: %s)',
  async (journal) => {
    const seed = Number(process.env.SLIPWAY_TEST_SEED ?? Date.now() % 1_000_000);
    const random = randomOf(seed);
    const store = newStore();
    const input = await archive();
    expect(store.database.get(`PRAGMA journal_mode = ${journal}`)).toEqual({
      journal_mode: journal.toLowerCase(),
    });
    const survivor = await writer(store.root, seed, input);
    for (let round = 0; round < 8; round++) {
      const { child, ended } = await writer(store.root, seed + 1 + round, input);
      await setTimeout(random(200));
      child.kill('SIGKILL');
      await ended;
    }
    // It would have ended by itself if anything that it uses had been taken away.
    expect(survivor.child.exitCode, `seed ${seed}`).toBeNull();
    survivor.child.kill('SIGKILL');
    await survivor.ended;
    expect(await problems(store), `seed ${seed}`).toEqual([]);
  },
);
