import { beforeAll, expect, test } from 'vitest';
import { check } from '../../../src/engine/check.ts';
import type { Fault } from '../../registry/fault-proxy.ts';
import { proxiedRegistry } from '../../registry/proxied-registry.ts';
import { REGISTRY_NEEDS } from '../../registry/servers.ts';
import { randomOf, testSeed } from '../../robustness/random.ts';
import { describeWith } from '../../support/need.ts';
import { machines } from './machines.ts';

/** On demand more: SLIPWAY_FAULT_RUNS=100. */
const RUNS = Number(process.env.SLIPWAY_FAULT_RUNS ?? 4);

const FAULTS: readonly Fault[] = [
  'cut',
  'cut-body',
  'truncate',
  'spoil',
  'error',
  'busy',
  'redirect',
  'cut-upload',
  'spoil-upload',
];

const seed = testSeed();

describeWith({ needs: REGISTRY_NEEDS }, `caches over a bad network, seed ${seed}`, () => {
  const place = proxiedRegistry();
  const { pushBase, context, build, root } = machines(place);

  beforeAll(async () => {
    await pushBase();
  });

  test(`${RUNS} builds end in their image, whatever becomes of the cache`, async () => {
    const random = randomOf(seed);
    const path = context({
      Dockerfile: `FROM HOST/base AS one
RUN --mount=type=cache,id=mine,target=/c echo made >> /c/log && seq 20000 > /numbers
FROM HOST/base
COPY source /source
COPY --from=one /numbers /numbers
RUN cat /source /numbers > /both
`,
      source: 'source\n',
    });
    const ref = `${place.proxy.host}/app`;
    const mounts = ['mine'];
    const ran: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      // The base comes unharmed: what becomes of that is told elsewhere.
      place.proxy.fault = ({ url }) =>
        url.includes('/app/') && random() < 0.4 ? FAULTS[Math.floor(random() * FAULTS.length)]! : 'none';
      const done = await build(`machine-${run}`, path, {
        cacheFrom: [{ type: 'registry', ref }],
        cacheTo: [{ type: 'registry', ref, mode: run % 2 === 0 ? 'max' : 'min', mounts, ignoreError: true }],
      });
      expect(done.ran + done.reused, `run ${run}`).toBe(4);
      ran.push(done.ran);
    }
    place.proxy.fault = () => 'none';
    for (let run = 0; run < RUNS; run++) {
      expect(await check({ root: root(`machine-${run}`) }), `run ${run}`).toEqual([]);
    }
    // The faults are such that some get through.
    const last = await build('last', path, { cacheTo: [{ type: 'registry', ref, mode: 'max' }] });
    const after = await build('after', path, { cacheFrom: [{ type: 'registry', ref }] });
    expect([after.ran, after.imageId], `ran ${ran.join(' ')}`).toEqual([0, last.imageId]);
  });
});
