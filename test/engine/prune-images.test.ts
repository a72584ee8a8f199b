import { afterEach, beforeEach, expect, it } from 'vitest';
import { pruneImages } from '../../src/engine/prune-images.ts';
import { imageById, tagImage } from '../../src/store/images.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { tempDir } from '../layer/support.ts';
import { makeImage } from '../store/make.ts';

let root: string;
let store: Store;

beforeEach(() => {
  root = tempDir();
  store = openStore(root);
});

afterEach(() => store[Symbol.dispose]());

it('keeps an image that gets a name after it was chosen', async () => {
  const [named, unnamed] = ['A=1', 'A=2'].map((env) => makeImage(store, [], { config: { Env: [env] } }));
  const name = 'docker.io/library/kept:1';
  /** Asked for while the images are chosen: as if a build ended just then. */
  class Filters extends Map<string, readonly string[]> {
    override get(filter: string): readonly string[] | undefined {
      if (filter === 'label!' && imageById(store, named!)!.tags.length === 0) tagImage(store, name, named!);
      return super.get(filter);
    }
  }
  expect(await pruneImages({ root, filters: new Filters() })).toEqual({
    lines: [{ deleted: unnamed }],
    reclaimed: 0,
  });
  expect(imageById(store, named!)?.tags).toEqual([name]);
  expect(imageById(store, unnamed!)).toBeUndefined();
});
