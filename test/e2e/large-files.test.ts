import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeListing } from '../../src/layer/listing.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const WRITE =
  'head -c 3000000 /dev/zero > /large && mkdir /d && cp /large /d/l && ln /d/l /d/m && echo x > /d/s && touch -d @1 /d/l /d/s /d';

const BUILD = `FROM ${BASE_IMAGE} AS build\nRUN ${WRITE}\n`;
const COPY = 'FROM scratch\nCOPY --from=build /d /d\n';

describe('large files of a RUN', () => {
  const [first, second] = [suiteStore(), suiteStore()];
  type Store = typeof first;

  /** Whether the listing that has a file says what is in it. */
  const isDigested = (store: Store, path: string): boolean => {
    const listings = join(store.root, 'listings');
    const entries = readdirSync(listings).flatMap((name) =>
      name.includes('.') ? [] : decodeListing(readFileSync(join(listings, name))),
    );
    const entry = entries.find((each) => each.path === path);
    expect(entry).toBeDefined();
    return entry?.sha256 !== undefined;
  };
  const layersOf = (store: Store): Promise<string> =>
    store.ok(['image', 'inspect', '--format', '{{json .RootFS.Layers}}', 'test/large']);

  it('are digested with the layer only where somebody looks at them', async () => {
    const context = first.context('large', { Dockerfile: BUILD, copy: BUILD + COPY });
    await first.ok(['build', '-t', 'test/large', context]);
    expect(['d/l', 'd/s'].map((path) => isDigested(first, path))).toEqual([false, true]);

    await second.ok(['build', '-t', 'test/large', '-f', join(context, 'copy'), context]);
    expect(['d/l', 'd/s'].map((path) => isDigested(second, path))).toEqual([true, true]);

    // Later, with the RUN from the cache, it comes to the same.
    const log = await first.run([
      'build',
      '-t',
      'test/large',
      '--progress=plain',
      '-f',
      join(context, 'copy'),
      context,
    ]);
    expect(log.stderr).toMatch(/RUN head[^\n]*\n#\d+ CACHED/);
    expect(isDigested(first, 'd/l')).toBe(true);
    expect(await layersOf(first)).toBe(await layersOf(second));

    const again = await first.run(['build', '--progress=plain', '-f', join(context, 'copy'), context]);
    expect(again.stderr).toMatch(/COPY --from[^\n]*\n#\d+ CACHED/);
  });

  it('differ between images by what is in them', async () => {
    for (const name of ['one', 'other']) {
      const context = first.context(name, {
        Dockerfile: `FROM ${BASE_IMAGE}\nRUN head -c 2000000 /dev/zero > /large && echo ${name} >> /large && echo ${name.length > 3 ? 'xx' : 'yyyy'} >> /large && touch -d @1 /large /\n`,
      });
      await first.ok(['build', '-t', `test/${name}`, context]);
    }
    const { stdout } = await first.run(['image', 'diff', 'test/one', 'test/other']);
    expect(stdout).toMatch(/\/large/);
    expect(stdout).toMatch(/content/);
  });
});
