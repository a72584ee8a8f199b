import fs from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { digestSelection } from '../../src/cache/content-digest.ts';
import type { ContextSource } from '../../src/context/context-source.ts';
import { openDirectoryContext } from '../../src/context/directory-context.ts';
import { type FileClock, openFileClock } from '../../src/context/file-clock.ts';
import { selectSources } from '../../src/context/select.ts';
import { readXattrs } from '../../src/engine/sources/read-xattrs.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import { randomOf, testSeed } from '../robustness/random.ts';
import { suiteFolder } from '../support/folders.ts';
import { randomTree } from '../support/random-tree.ts';

const folder = suiteFolder('big');
const seed = testSeed();

function open(root: string, indexDirectory?: string): ContextSource {
  return openDirectoryContext({ root, indexDirectory, readXattrs });
}

async function digest(context: ContextSource): Promise<string> {
  const selection = await selectSources(context.tree, { sources: ['.'], where: 'the build context' });
  return await digestSelection(context.tree, selection);
}

it(`gives what a fresh hash gives after any edits, however soon they come (seed ${seed})`, async () => {
  const random = randomOf(seed);
  const root = path.join(folder.path, 'tree');
  const indexDirectory = path.join(folder.path, 'index');
  fs.mkdirSync(root);
  const tree = randomTree(root, 80, random);
  for (let round = 0; round < 60; round++) {
    const edits: string[] = [];
    for (let left = Math.floor(random() * 4); left > 0; left--) edits.push(tree.edit());
    // Two builds at once: both learn, and the index of the one that ends last stays.
    const contexts = [open(root, indexDirectory), open(root, indexDirectory)];
    if (random() < 0.5) contexts.reverse();
    const first = await digest(contexts[0]!);
    const between = random() < 0.3 ? tree.edit() : 'nothing';
    const second = await digest(contexts[1]!);
    for (const context of contexts) context.close();
    const fresh = open(root);
    const what = `round ${round}: ${edits.join(', ')}, then ${between}`;
    expect(second, what).toBe(await digest(fresh));
    if (between === 'nothing') expect(first, what).toBe(second);
  }
});

it('takes no file for another whose content came within the same tick of the clock', async () => {
  const root = path.join(folder.path, 'racy');
  const indexDirectory = path.join(folder.path, 'racy-index');
  fs.mkdirSync(root);
  const file = path.join(root, 'f');
  const seen = new Set<string>();
  for (let round = 0; round < 300; round++) {
    fs.writeFileSync(file, `${round}`.padStart(8, '0'));
    fs.utimesSync(file, 1_500_000_000, 1_500_000_000);
    const context = open(root, indexDirectory);
    seen.add(await digest(context));
    context.close();
  }
  expect(seen.size).toBe(300);
});

it('knows nothing of a copy with other inodes, and is right about it', async () => {
  const root = path.join(folder.path, 'moved');
  const indexDirectory = path.join(folder.path, 'moved-index');
  randomTree(root, 30, randomOf(1));
  const before = open(root, indexDirectory);
  const expected = await digest(before);
  before.close();
  fs.renameSync(root, `${root}-old`);
  fs.cpSync(`${root}-old`, root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  const after = open(root, indexDirectory);
  expect(await digest(after)).toBe(expected);
  after.close();
});

it('says so when a file changes, vanishes or becomes another while it is read', async () => {
  const changes: [string, (file: string) => void][] = [
    ['grows', (file) => fs.appendFileSync(file, 'more')],
    ['shrinks', (file) => fs.truncateSync(file, 1)],
    ['vanishes', (file) => fs.rmSync(file)],
    ['is replaced', (file) => [fs.writeFileSync(`${file}.new`, 'other'), fs.renameSync(`${file}.new`, file)]],
    ['becomes a link', (file) => [fs.rmSync(file), fs.symlinkSync('/etc/passwd', file)]],
    ['becomes a directory', (file) => [fs.rmSync(file), fs.mkdirSync(file)]],
  ];
  for (const [name, change] of changes) {
    const root = path.join(folder.path, `changing ${name}`);
    fs.mkdirSync(root);
    fs.writeFileSync(path.join(root, 'f'), 'content');
    const context = open(root);
    const selection = await selectSources(context.tree, { sources: ['.'], where: 'the build context' });
    change(path.join(root, 'f'));
    const error = await digestSelection(context.tree, selection).catch((thrown: unknown) => thrown);
    expect(error, name).toBeInstanceOf(SlipwayError);
    expect((error as SlipwayError).code, name).toBe('CONTEXT_CHANGED');
  }
});

it('relies on no inode number where they may change', async () => {
  const root = path.join(folder.path, 'unstable');
  fs.mkdirSync(root);
  fs.writeFileSync(path.join(root, 'f'), 'content');
  fs.utimesSync(path.join(root, 'f'), 1_500_000_000, 1_500_000_000);
  /** Files of which the index knew nothing, build by build. */
  const learned = async (clock: FileClock, indexDirectory: string): Promise<number[]> => {
    const counts: number[] = [];
    for (let build = 0; build < 2; build++) {
      let count = 0;
      const context = openDirectoryContext({
        root,
        indexDirectory,
        clock,
        readXattrs: () => {
          count++;
          return undefined;
        },
      });
      await digest(context);
      context.close();
      counts.push(count);
    }
    return counts;
  };
  // Files that have just changed are remembered nowhere.
  while (Date.now() - fs.statSync(path.join(root, 'f')).ctimeMs < 30) await setImmediate();
  const stable = openFileClock(() => 0xef53);
  expect(await learned(stable, path.join(folder.path, 'stable-index'))).toEqual([1, 0]);
  for (const type of [0x65735546, 0x4d44, 0x2011bab0, 0xfe534d42, 0xfe534d42 | 0]) {
    const clock = openFileClock(() => type);
    expect(await learned(clock, path.join(folder.path, `index-${type}`))).toEqual([1, 1]);
  }
});

it('asks each file system once what it is, and for links the one that they are on', async () => {
  const root = path.join(folder.path, 'mixed');
  fs.mkdirSync(path.join(root, 'd'), { recursive: true });
  fs.writeFileSync(path.join(root, 'd/f'), 'content');
  fs.symlinkSync('/proc/self/status', path.join(root, 'd/link'));
  const asked: string[] = [];
  const clock = openFileClock((place) => {
    asked.push(path.relative(root, place));
    return 0xef53;
  });
  const context = openDirectoryContext({ root, clock, readXattrs });
  await digest(context);
  context.close();
  expect(asked).toEqual(['d']);
});
