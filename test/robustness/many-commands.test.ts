import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import type { SlipwayResult } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

/** One kind of command and how often it runs; `wrong` gives what is not as it should be. */
interface Kind {
  times: number;
  args: (index: number) => string[];
  wrong?: (result: SlipwayResult, index: number) => unknown;
}

describe('a hundred commands of all kinds on one store at the same time', () => {
  const store = suiteStore();
  const file = (name: string): string => join(store.root, '..', name);
  let archive: string;

  beforeAll(async () => {
    archive = file('loaded.tar');
    const context = store.context('loaded', { Dockerfile: `FROM ${BASE_IMAGE}\nCOPY f /f\n`, f: 'x' });
    await store.ok(['build', '-t', 'loaded:1', context]);
    await store.ok(['save', '-o', archive, 'loaded:1']);
    for (let i = 0; i < 10; i++) await store.ok(['tag', BASE_IMAGE, `gone:${i}`]);
    for (let i = 0; i < 6; i++) {
      store.context(`build-${i}`, { Dockerfile: `FROM ${BASE_IMAGE}\nRUN echo ${i} > /n\n` });
    }
  });

  const kinds: Kind[] = [
    { times: 14, args: () => ['images', '--no-trunc'] },
    { times: 6, args: () => ['images', '-q', '-f', 'dangling=true'] },
    {
      times: 8,
      args: () => ['inspect', '-f', '{{len .RootFS.Layers}}', BASE_IMAGE],
      wrong: ({ stdout }) => (stdout === '1\n' ? undefined : stdout),
    },
    { times: 6, args: () => ['history', '-q', BASE_IMAGE] },
    { times: 14, args: (index) => ['tag', BASE_IMAGE, `made:${index}`] },
    { times: 10, args: (index) => ['rmi', `gone:${index}`] },
    { times: 10, args: (index) => ['import', 'rootfs', `imported:${index}`] },
    { times: 8, args: (index) => ['save', '-o', `saved-${index}.tar`, BASE_IMAGE] },
    { times: 6, args: () => ['load', '-q', '-i', archive] },
    { times: 6, args: (index) => ['build', '-q', '-t', `built:${index}`, `build-${index}`] },
    // A name that moves from image to image leaves dangling ones for the prunes.
    { times: 4, args: () => ['import', 'rootfs', 'moving:1'] },
    { times: 3, args: () => ['image', 'prune', '-f'] },
    { times: 2, args: () => ['builder', 'prune', '-f'] },
    { times: 2, args: () => ['system', 'df'] },
    { times: 1, args: () => ['system', 'check'] },
  ];

  test('none waits for ever, no image is lost, the store is whole', async () => {
    store.context('rootfs', { f: 'the same in every image' });
    const commands = kinds.flatMap((kind) =>
      Array.from({ length: kind.times }, (_, index) => ({ ...kind, index })),
    );
    expect(commands).toHaveLength(100);
    // Kinds mixed: neighbours are of different kinds.
    const mixed = commands.map((command, i) => ({ command, order: (i * 37) % 100 }));
    mixed.sort((a, b) => a.order - b.order);
    const problems: unknown[] = [];
    await Promise.all(
      mixed.map(async ({ command: { args, index, wrong } }) => {
        const words = args(index);
        const result = await store.run(words, { env: { SLIPWAY_GC: 'off' } });
        const problem = result.exitCode === 0 ? wrong?.(result, index) : result.stderr;
        if (problem !== undefined) problems.push({ words, exitCode: result.exitCode, problem });
      }),
    );
    expect(problems).toEqual([]);

    const names = (await store.ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n');
    const expected = [
      BASE_IMAGE,
      'loaded:1',
      'moving:1',
      ...Array.from({ length: 14 }, (_, i) => `made:${i}`),
      ...Array.from({ length: 10 }, (_, i) => `imported:${i}`),
      ...Array.from({ length: 6 }, (_, i) => `built:${i}`),
    ];
    expect(names.filter((name) => name !== '' && name !== '<none>:<none>').sort()).toEqual(expected.sort());
    // What was written is whole: all of it is the same archive.
    const first = readFileSync(file('saved-0.tar'));
    for (let i = 1; i < 8; i++) expect(readFileSync(file(`saved-${i}.tar`)).equals(first)).toBe(true);
    for (let i = 0; i < 6; i++) {
      expect(await store.ok(['image', 'cat', `built:${i}`, '/n'])).toBe(`${i}\n`);
    }
    expect(await store.ok(['system', 'check'])).toBe('The store is whole.\n');
    expect(leftovers(store.root)).toEqual([]);
  });
});
