import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, root } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const ROUNDS = 4;

/** Whatever a collection takes away, a build has what it looked up, or makes it again. */
describeWith({ needs: [root()] }, 'builds beside collections that take all they may', () => {
  const store = suiteStore();
  let context: string;

  beforeAll(() => {
    context = store.context('collected', {
      Dockerfile: `FROM ${BASE_IMAGE} AS a
RUN echo a > /a
FROM ${BASE_IMAGE} AS b
COPY f /f
RUN cat /f > /b
FROM ${BASE_IMAGE}
COPY --from=a /a /a
COPY --from=b /b /b
RUN cat /a /b > /c
`,
      f: 'from the context\n',
    });
  });

  test('give the image that they give alone, cached or not, kept or not', async () => {
    const problems: unknown[] = [];
    const run = async (...args: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await store.run(args);
      if (exitCode !== 0) problems.push({ args, exitCode, stderr });
      return stdout;
    };
    const collecting = new AbortController();
    const collections = (async () => {
      let count = 0;
      for (; !collecting.signal.aborted; count++) {
        await run(...(count % 2 === 0 ? ['builder', 'prune', '-af'] : ['image', 'prune', '-f']));
      }
      return count;
    })();
    const archive = (index: number): string => join(store.root, `../collected-${index}.tar`);
    for (let round = 0; round < ROUNDS; round++) {
      // The second finds what the first has made, where it is still there.
      await run('build', '-q', '-o', `type=tar,dest=${archive(2 * round)}`, context);
      await run('build', '-q', '-o', `type=tar,dest=${archive(2 * round + 1)}`, context);
      await Promise.all([run('build', '-q', '-t', 'kept:1', context), run('build', '-q', context)]);
      const content = await run('image', 'cat', 'kept:1', '/c');
      expect({ content, problems }).toEqual({ content: 'a\nfrom the context\n', problems: [] });
    }
    collecting.abort();
    expect(await collections).toBeGreaterThan(ROUNDS / 2);
    expect(problems).toEqual([]);
    for (let index = 0; index < 2 * ROUNDS; index++)
      expect(readFileSync(archive(index)).includes('from the context')).toBe(true);
    expect(await store.ok(['system', 'check'])).toBe('The store is whole.\n');
    expect(leftovers(store.root)).toEqual([]);
  });
});
