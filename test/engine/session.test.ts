import { afterEach, beforeEach, expect, it } from 'vitest';
import { StoreSession } from '../../src/engine/session.ts';
import { abandonLayer, allocateLayer } from '../../src/store/layers.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { tempDir } from '../layer/support.ts';

let store: Store;

beforeEach(() => {
  store = openStore(tempDir());
});

afterEach(() => store[Symbol.dispose]());

it('leaves nothing to be removed when it is over before its worker has begun', async () => {
  const session = new StoreSession({ store, env: process.env, runtime: 'auto' });
  const layers = Array.from({ length: 3 }, () => allocateLayer(store, session.lease()));
  // What has failed says so itself.
  abandonLayer(store, layers[1]!);
  await session.close();
  expect(store.database.all('SELECT id FROM layers')).toEqual([]);
  expect(store.database.all('SELECT id FROM leases')).toEqual([]);
});
