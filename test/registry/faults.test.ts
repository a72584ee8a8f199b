import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check } from '../../src/engine/check.ts';
import { openStoreForWork } from '../../src/engine/open-store.ts';
import { pullImage } from '../../src/engine/pull/pull-image.ts';
import { StoreSession } from '../../src/engine/session.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import { digestOf } from '../../src/image/digest.ts';
import { localPlatform } from '../../src/image/platform.ts';
import { parseReference } from '../../src/image/reference.ts';
import { defaultHosts } from '../../src/registry/default-hosts.ts';
import { openRegistryPool } from '../../src/registry/open-pool.ts';
import { resolveImage } from '../../src/registry/resolve-image.ts';
import type { RegistryClient } from '../../src/registry/types.ts';
import { imageById, imageLayers } from '../../src/store/images.ts';
import { blobPath, layerDirectory } from '../../src/store/layout.ts';
import type { Store } from '../../src/store/store.ts';
import { randomOf, testSeed } from '../robustness/random.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';
import { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { type LayerForm, type MadeImage, makeLayer, openTestClient, pushMade } from './remote-images.ts';
import { REGISTRY_NEEDS, testRegistry } from './servers.ts';
import { PASSWORD, USER } from './users.ts';

/** On demand more: `npm run faults`. */
const RUNS = Number(process.env.SLIPWAY_FAULT_RUNS ?? 60);
const FAULTS: readonly Fault[] = [
  'cut',
  'cut-body',
  'truncate',
  'slow',
  'spoil',
  'error',
  'busy',
  'expire',
  'redirect',
];
const FORMS: readonly LayerForm[] = ['gzip', 'zstd', 'plain', 'members'];
/** What a pull may say of a network like that. */
const CLEAR = new Set(['unavailable', 'corrupt', 'denied']);

const seed = testSeed();

describeWith({ needs: [...REGISTRY_NEEDS, program('tar')] }, `pulls over a bad network, seed ${seed}`, () => {
  const folder = suiteFolder('big');
  const registry = testRegistry();
  const env = { PATH: process.env.PATH, HOME: '/nowhere', SLIPWAY_RETRY_DELAY_MS: '1' };
  let client: RegistryClient;
  let proxy: FaultProxy;
  beforeAll(async () => {
    client = await openTestClient(registry.host);
    proxy = await startFaultProxy(() => registry.host);
    proxy.auth = true;
  });
  afterAll(async () => {
    await client?.close();
    await proxy?.close();
  });

  test(`${RUNS} with faults at random end in the image or a clear error`, async () => {
    const random = randomOf(seed);
    const root = join(folder.path, 'store');
    const outcomes: Record<string, number> = {};
    using store = openStoreForWork({ root, env });
    const session = new StoreSession({ store, env, runtime: 'embedded' });
    try {
      for (let run = 0; run < RUNS; run++) {
        const image = await makeImage(run, random);
        const outcome = await pullOnce(run, { random, store, session });
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        if (outcome === 'pulled') expectWhole(store, image);
        else expect(imageById(store, image.id), `run ${run}`).toBeUndefined();
        expect(readdirSync(join(root, 'tmp')), `run ${run}`).toEqual([]);
      }
    } finally {
      await session.close();
    }
    expect(proxy.leaked).toEqual([]);
    // Both happen, whatever the seed is.
    expect(outcomes.pulled).toBeGreaterThan(RUNS / 4);
    expect(await check({ root, env })).toEqual([]);
  });

  async function makeImage(run: number, random: () => number): Promise<MadeImage> {
    const layers = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index) => {
      const bytes = Buffer.alloc(1 + Math.floor(random() ** 2 * 1_500_000));
      for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(random() * 2 ** 32, at);
      return makeLayer({ [`run-${run}-${index}`]: bytes }, FORMS[Math.floor(random() * FORMS.length)]!);
    });
    return pushMade(client, 'faults', layers, { tag: `run-${run}` });
  }

  async function pullOnce(
    run: number,
    { random, store, session }: { random: () => number; store: Store; session: StoreSession },
  ): Promise<string> {
    const rate = random() * 0.7;
    proxy.fault = () => (random() < rate ? FAULTS[Math.floor(random() * FAULTS.length)]! : 'none');
    const pool = openRegistryPool({
      hosts: defaultHosts,
      env,
      credentials: {
        credentialFor: async (name) =>
          name === proxy.host ? { kind: 'password', username: USER, password: PASSWORD } : undefined,
      },
    });
    try {
      const reference = parseReference(`${proxy.host}/faults:run-${run}`);
      const image = await resolveImage(pool, reference, localPlatform());
      await pullImage(image, reference, { store, session, env });
      return 'pulled';
    } catch (error) {
      if (!(error instanceof SlipwayError) || !CLEAR.has(error.kind)) throw error;
      expect(error.message + (error.hint ?? ''), `run ${run}`).not.toContain(PASSWORD);
      return error.kind;
    } finally {
      await pool.close();
    }
  }

  function expectWhole(store: Store, { id, layers }: MadeImage): void {
    const stored = imageLayers(store, id);
    expect(stored.map(({ diffId }) => diffId)).toEqual(layers.map(({ diffId }) => diffId));
    for (const [index, { blob }] of layers.entries()) {
      const digest = digestOf(blob);
      expect(digestOf(readFileSync(blobPath(store.root, digest)))).toBe(digest);
      expect(readdirSync(layerDirectory(store.root, stored[index]!.id))).toHaveLength(1);
    }
  }
});
