// Works on the store named by the argument until it is killed: layers, images, steps, blobs, loads, removals and
// collection, in an order that the seed decides. Prints a line when it has begun.

import { SlipwayError } from '../../src/errors/index.ts';
import { claim, release } from '../../src/store/claims.ts';
import { deleteGarbage } from '../../src/store/collect.ts';
import { collectGarbage, forgetGarbage } from '../../src/store/garbage.ts';
import { listImages } from '../../src/store/images.ts';
import type { LayerRecord } from '../../src/store/layers.ts';
import { endLease, startLease } from '../../src/store/leases.ts';
import { removeImage } from '../../src/store/removal.ts';
import { dropSteps, listSteps, putStep } from '../../src/store/steps.ts';
import { openStore } from '../../src/store/store.ts';
import { load } from '../export/load.ts';
import { makeImage, makeLayer } from './make.ts';
import { randomOf } from './random.ts';

const [root, seed, archive] = process.argv.slice(2) as [string, string, string];
const random = randomOf(Number(seed));
using store = openStore(root);
process.stdout.write('begun\n');

for (;;) {
  const lease = startLease(store);
  const layers: LayerRecord[] = [];
  for (let i = 0; i <= random(3); i++) {
    const key = `k${random(6)}`;
    if (!claim(store, key, lease).mine) continue;
    const layer = makeLayer(store, lease, { [`d${random(4)}/f${random(4)}`]: 'x'.repeat(random(100_000)) });
    layers.push(layer);
    const record = { key, definition: key, parentChain: '', layer: layer.id, diffId: layer.diffId };
    putStep(store, {
      ...record,
      created: '2024-01-01T00:00:00Z',
      durationMs: 1,
      buildId: 'b',
      bootId: 'b',
      parts: 0,
    });
    release(store, key, lease);
  }
  makeImage(store, layers, { tags: [`docker.io/library/t:${random(4)}`] });
  if (random(2) === 0) await load(store, lease, { input: { kind: 'file', path: archive } });
  if (random(2) === 0) {
    const images = listImages(store);
    const chosen = images[random(Math.max(images.length, 1))];
    if (chosen !== undefined) removeUnlessGone(chosen.id);
  }
  if (random(3) === 0)
    dropSteps(
      store,
      listSteps(store)
        .slice(0, 2)
        .map((step) => step.key),
    );
  endLease(store, lease);
  const garbage = collectGarbage(store);
  deleteGarbage(store.root, garbage);
  forgetGarbage(store, garbage.layers);
}

/** Between a list and a removal another writer may have removed the image: then, and only then, it is not found. */
function removeUnlessGone(id: string): void {
  try {
    removeImage(store, id, { force: true });
  } catch (error) {
    const isMissing = error instanceof SlipwayError && error.code === 'IMAGE_NOT_FOUND';
    if (!isMissing || listImages(store).some((image) => image.id === id)) throw error;
  }
}
