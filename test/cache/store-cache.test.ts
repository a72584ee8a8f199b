import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storeCache } from '../../src/cache/store-cache.ts';
import { startLease } from '../../src/store/leases.ts';
import { openStore, type Store } from '../../src/store/store.ts';

let folder: string;
let store: Store;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-cache-'));
  store = openStore(folder);
});

afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

/** Records one step; gives the cache that did it. */
function recordStep(): ReturnType<typeof storeCache> {
  const lease = startLease(store);
  const cache = storeCache({ store, buildId: 'b', lease: () => lease });
  const id = cache.allocateLayer();
  const diffId = `sha256:${'1'.repeat(64)}`;
  cache.completeLayer(id, { diffId, tarSize: 1, size: 1, packer: 1, recipe: {} });
  const step = {
    key: 'k',
    definition: 'd',
    parentChain: 'scratch',
    created: '2026-01-01T00:00:00Z',
    durationMs: 5,
  };
  cache.record({ ...step, diffId, parts: { command: 'x' } });
  return cache;
}

/** As if the machine had been started again since everything was written. */
function reboot(): void {
  store.database.run("UPDATE layers SET boot_id = 'an earlier boot' WHERE boot_id <> ''");
}

test('a result that was never synced is trusted until the machine is started again', () => {
  const cache = recordStep();
  expect(cache.lookup('k')?.layer.diffId).toBe(`sha256:${'1'.repeat(64)}`);
  reboot();
  expect(cache.lookup('k')).toBeUndefined();
});

test('a step that runs again puts its new layer in the place of one that is not trusted', () => {
  const first = recordStep().lookup('k')!.layer.stack;
  reboot();
  const again = recordStep().lookup('k')!.layer.stack;
  expect(again).not.toEqual(first);
});

test('a result that was synced outlives that', () => {
  const cache = recordStep();
  cache.markDurable();
  reboot();
  expect(cache.lookup('k')?.buildId).toBe('b');
});

test('claims are one at a time, what steps needed is remembered by name', () => {
  const first = recordStep();
  const lease = startLease(store);
  const second = storeCache({ store, buildId: 'c', lease: () => lease });
  expect(first.claim('step')).toBe(true);
  expect(second.claim('step')).toBe(false);
  expect([second.isClaimed('step'), first.isClaimed('step')]).toEqual([true, false]);
  first.release('step');
  expect(second.claim('step')).toBe(true);
  first.noteRun('RUN make', { durationMs: 1234, peakMemory: 5 });
  first.noteRun('RUN make', { durationMs: 1300 });
  expect(second.lastRun('RUN make')).toEqual({ durationMs: 1300, peakMemory: 5 });
  expect(second.lastRun('RUN other')).toBeUndefined();
});
