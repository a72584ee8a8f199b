import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { check } from '../../../src/engine/check.ts';
import { remove } from '../../../src/engine/remove.ts';
import { listLayers } from '../../../src/store/layers.ts';
import { layerDirectory } from '../../../src/store/layout.ts';
import { openStore } from '../../../src/store/store.ts';
import { randomOf, testSeed } from '../../robustness/random.ts';
import { BASE, type Built, libraryStore } from '../../support/library-store.ts';
import { describeWith, root } from '../../support/need.ts';
import { type RandomTree, randomTree } from '../../support/random-tree.ts';

const FILES = 300;
const ROUNDS = [3, 2, 2];

/** Later than all files, so that it changes nothing but what is made during the build. */
const EPOCH = { SOURCE_DATE_EPOCH: '1700000000' };

describeWith({ needs: [root()] }, 'a COPY over an earlier layer', () => {
  const store = libraryStore();

  /** DiffIDs of an image. */
  const diffIds = (built: Built): string[] =>
    (built.config() as unknown as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids;
  /** The directories of a layer, by default that which an image ends with. */
  const stackOf = (built: Built, index = -1): string[] => {
    using opened = openStore(store.root);
    return listLayers(opened).find(({ diffId }) => diffId === diffIds(built).at(index))!.stack;
  };
  const namesOf = (id: string): string[] => {
    const directory = layerDirectory(store.root, id);
    return (readdirSync(directory, { recursive: true }) as string[]).sort();
  };
  /** A context of many files below `d`, all of an old time. */
  const manyFiles = (): string => {
    const context = store.empty();
    for (let directory = 0; directory < 10; directory++) {
      mkdirSync(join(context, `d/${directory}`), { recursive: true });
      for (let file = 0; file < 30; file++) {
        writeFileSync(join(context, `d/${directory}/${file}`), `${directory} ${file}\n`);
      }
    }
    execFileSync('find', [context, '-exec', 'touch', '-h', '-d', '@1600000000', '{}', '+']);
    return context;
  };
  /** Builds by way of an earlier layer and in full, and expects the same layers of both. */
  const buildTwice = async (text: string, context: string): Promise<Built> => {
    const built = await store.build(text, { context, env: EPOCH });
    const whole = await store.build(text, { context, env: EPOCH, noCache: true });
    expect(diffIds(built)).toEqual(diffIds(whole));
    return built;
  };

  const seed = testSeed();
  const dockerfiles = [
    `FROM ${BASE}\nCOPY . /src\n`,
    `FROM ${BASE}\nRUN mkdir -p /srv/app && echo lower > /srv/app/lower\nCOPY --chown=7:8 . /srv/app/\n`,
    `FROM ${BASE} AS files\nCOPY . /files\nFROM ${BASE}\nCOPY --chmod=u+x --from=files /files /copied\n`,
  ];
  for (const [index, text] of dockerfiles.entries()) {
    it(`gives the layers of a clean build after any edits (${index}, seed ${seed})`, async () => {
      const random = randomOf(seed + index);
      const context = store.empty();
      const tree: RandomTree = randomTree(context, FILES, random);
      await store.build(text, { context, env: EPOCH });
      for (let round = 0; round < ROUNDS[index]!; round++) {
        const edits: string[] = [];
        for (let left = 1 + Math.floor(random() * 12); left > 0; left--) edits.push(tree.edit());
        // Times alone make no other key.
        writeFileSync(join(context, `round-${round}`), '');
        const built = await store.build(text, { context, env: EPOCH });
        const whole = await store.build(text, { context, env: EPOCH, noCache: true });
        expect(diffIds(built), edits.join(', ')).toEqual(diffIds(whole));
      }
      if (index === 0) {
        // Edits at random may leave nothing for a delta; one changed file in a context that is large enough does not.
        mkdirSync(join(context, 'more'));
        for (let file = 0; file < FILES; file++) writeFileSync(join(context, `more/${file}`), '');
        await store.build(text, { context, env: EPOCH });
        appendFileSync(join(context, 'more/1'), 'x');
        expect(stackOf(await buildTwice(text, context)).length).toBeGreaterThan(1);
      }
      expect(await check({ root: store.root })).toEqual([]);
    });
  }

  it('writes what changed and nothing else, and keeps stacks low', async () => {
    const context = manyFiles();
    const text = `FROM ${BASE}\nCOPY d /low\n`;
    await store.build(text, { context });
    const seen: string[][] = [];
    for (let round = 0; round < 6; round++) {
      appendFileSync(join(context, `d/${round}/1`), 'x');
      rmSync(join(context, `d/${round}/2`));
      const stack = stackOf(await store.build(text, { context }));
      seen.push(namesOf(stack.at(-1)!));
      expect(stack.length).toBeLessThanOrEqual(4);
    }
    expect(seen[0]).toEqual(['low', 'low/0', 'low/0/1', 'low/0/2']);
    expect(seen[2]).toEqual(['low', 'low/2', 'low/2/1', 'low/2/2']);
    // What lies over the third directory once more begins anew from it.
    const names = [2, 3, 4, 5].flatMap((n) => [`low/${n}`, `low/${n}/1`, `low/${n}/2`]);
    expect(seen[5]).toEqual(['low', ...names]);
  });

  it('shows RUN no inode with a second name', async () => {
    const context = manyFiles();
    const text = `FROM ${BASE}
COPY d /src
RUN find /src -type f -links +1; gzip -k /src/3/3 /src/0/0; ls /src/3/3.gz /src/0/0.gz; tar -C / -cf - src | tar -tf - | wc -l
`;
    await store.build(text, { context });
    writeFileSync(join(context, 'd/3/3'), 'other\n');
    const built = await store.build(text, { context });
    expect(built.log('RUN find')).toBe('/src/0/0.gz\n/src/3/3.gz\n313\n');
    const inodes = new Map<bigint, string>();
    for (const id of stackOf(built, -2)) {
      for (const name of namesOf(id)) {
        const stat = lstatSync(join(layerDirectory(store.root, id), name), { bigint: true });
        if (!stat.isFile()) continue;
        expect([name, stat.nlink, inodes.get(stat.ino)]).toEqual([name, 1n, undefined]);
        inodes.set(stat.ino, id);
      }
    }
  });

  it('is written in full where a deleted name is in a layer below', async () => {
    const context = manyFiles();
    const text = `FROM ${BASE}\nRUN mkdir -p /src/1 && echo lower > /src/1/1\nCOPY d /src\nRUN cat /src/1/1\n`;
    await store.build(text, { context });
    rmSync(join(context, 'd/1/1'));
    const built = await buildTwice(text.replace(/RUN cat.*\n/, ''), context);
    expect(stackOf(built)).toHaveLength(1);
    expect((await store.build(text, { context })).log('RUN cat')).toBe('lower\n');
  });

  it('takes nothing away from other parents that it comes to lie over', async () => {
    const context = manyFiles();
    const over = (lines: string): string => `FROM ${BASE}\n${lines}COPY d /moved\n`;
    const parents = ['', 'RUN mkdir -p /moved/1 && echo lower > /moved/1/1\n', 'RUN true > /third\n'].map(
      over,
    );
    for (const text of parents) await store.build(text, { context });
    rmSync(join(context, 'd/1/1'));
    execFileSync('touch', ['-d', '@1600000000', join(context, 'd/1')]);
    const first = await store.build(parents[0]!, { context });
    expect(stackOf(first)).toHaveLength(2);
    const second = await store.build(`${parents[1]}RUN cat /moved/1/1\n`, { context });
    expect(second.log('RUN cat')).toBe('lower\n');
    expect(diffIds(second)).toContain(diffIds(first).at(-1));
    expect(stackOf(first)).toHaveLength(1);
    // Two that take names away, over different parents: one of them is written in full.
    rmSync(join(context, 'd/2/1'));
    await store.build(parents[0]!, { context });
    await store.build(parents[2]!, { context });
    expect(stackOf(await store.build(parents[2]!, { context }))).toHaveLength(1);
    expect(await check({ root: store.root })).toEqual([]);
  });

  it('keeps hard links whole', async () => {
    const context = manyFiles();
    const text = `FROM ${BASE}\nCOPY d /linked\nRUN find /linked -type f -links +1 | sort\n`;
    execFileSync('ln', [join(context, 'd/1/1'), join(context, 'd/5/a')]);
    execFileSync('ln', [join(context, 'd/1/1'), join(context, 'd/6/a')]);
    execFileSync('ln', [join(context, 'd/2/2'), join(context, 'd/6/b')]);
    await store.build(text, { context });
    rmSync(join(context, 'd/6/b'));
    rmSync(join(context, 'd/6/a'));
    const built = await store.build(text, { context });
    expect(built.log('RUN find')).toBe('/linked/1/1\n/linked/5/a\n');
    await buildTwice(`FROM ${BASE}\nCOPY d /linked\n`, context);
  });

  it('outlives the images and records of the layers that it lies over, and they it', async () => {
    const context = manyFiles();
    const text = `FROM ${BASE}\nCOPY d /kept\n`;
    await store.build(text, { context, tags: ['first'] });
    chmodSync(join(context, 'd/1/1'), 0o600);
    const second = await store.build(text, { context, tags: ['second'] });
    const stack = stackOf(second);
    expect(stack).toHaveLength(2);
    const removeImages = (...images: string[]) =>
      remove({
        root: store.root,
        images,
        onRemoved: () => {},
        onError: (error) => {
          throw error;
        },
      });
    using opened = openStore(store.root);
    opened.database.run('DELETE FROM steps');
    await removeImages('first');
    expect(stackOf(second)).toEqual(stack);
    expect(await check({ root: store.root })).toEqual([]);
    await removeImages('second');
    const left = listLayers(opened).map(({ id }) => id);
    expect(stack.filter((id) => left.includes(id))).toEqual([]);
    expect(stack.filter((id) => readdirSync(join(store.root, 'layers')).includes(id))).toEqual([]);
  });
});
