import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startInPod, startSlipwayInPod } from '../rootless/in-pod.ts';
import { type OrdinaryUser, ordinaryUser } from '../rootless/ordinary-user.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program, root } from '../support/need.ts';
import { ended } from '../support/slipway.ts';
import { type Builder, makeBuilder, ownTier, type Tier } from './builder.ts';
import {
  type Case,
  type Difference,
  type Expected,
  readBases,
  readCases,
  readExpected,
  readIgnored,
  readRecording,
} from './cases.ts';
import { type Compared, compared, withoutIgnored } from './compare.ts';
import { LIBRARY_COMMAND, type LibraryBuilder, makeLibraryBuilder } from './library-builder.ts';
import { listFiles } from './listing.ts';
import { makeTar } from './make-tar.ts';
import { makeTree } from './make-tree.ts';
import { readImage } from './read-image.ts';

const allCases = readCases();
const { bases } = readRecording();
const rules = { bases, ignored: readIgnored() };
const documents = readFileSync(join(import.meta.dirname, '../../docs/compatibility.md'), 'utf8');

interface Setting {
  /** An empty folder, there while the tests run. */
  folder: () => string;
  builder: (folder: string) => Builder & Partial<Pick<LibraryBuilder, 'close'>>;
  /** Of the contexts, as `Tier.owner`. */
  owner?: () => Tier['owner'];
  cases: Case[];
}

/** Root's own, with the library: a front for each build would take as long as what is compared. */
function rootsBuilder(folder: string): LibraryBuilder {
  const [command, ...args] = LIBRARY_COMMAND;
  const start = () => spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return makeLibraryBuilder(folder, { tier: ownTier, start });
}

describeWith({ needs: [root()] }, 'builds equal what an engine recorded', () => {
  const folder = suiteFolder('big');
  compareAll({ folder: () => folder.path, builder: rootsBuilder, cases: allCases });
});

describeWith({ needs: [root()] }, 'and so do those where no overlay can be mounted', () => {
  const folder = suiteFolder('big');
  const path = (name: string): string => join(folder.path, name);
  // No overlay can have its upper directory on an overlay.
  beforeAll(() => {
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(path(name));
    const options = `lowerdir=${path('lower')},upperdir=${path('upper')},workdir=${path('work')}`;
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, path('merged')]);
  });
  afterAll(() => void execFileSync('umount', ['-l', path('merged')]));

  compareAll({
    folder: () => path('merged'),
    builder: rootsBuilder,
    cases: allCases.filter((one) => one.copies === undefined),
  });

  test('with copies in the place of overlays', async () => {
    const child = ownTier.start(['info'], path('merged/store'));
    child.stdin!.end();
    expect((await ended(child)).stdout).toContain('Storage Driver: copy (no overlayfs');
  });
});

describeWith(
  { needs: [root(), program('setpriv', 'util-linux')] },
  'and those without isolation, in a locked-down pod',
  () => {
    const folder = suiteFolder('big');
    const env = { SLIPWAY_ISOLATION: 'none' };
    const place = (store: string) => ({ root: store, folder: folder.path, env });
    compareAll({
      folder: () => folder.path,
      builder: (path) =>
        makeLibraryBuilder(path, {
          tier: { owner: undefined, start: (args, store) => startSlipwayInPod(args, place(store)) },
          start: (store) => startInPod(LIBRARY_COMMAND, place(store)),
        }),
      cases: allCases.filter((one) => one.copies === undefined && one.noIsolation === undefined),
    });
  },
);

const users = [root(), program('useradd', 'passwd')];

// 100000 of the cases' owners must be among the ids.
describeWith(
  { needs: [...users, program('newuidmap', 'uidmap')] },
  'and so do those of a user with ids',
  () => {
    const user = ordinaryUser(['20000000:150000']);
    compareAll({ ...userSetting(user), cases: allCases.filter((one) => one.ordinaryUser === undefined) });
  },
);

describeWith({ needs: users }, 'and those of a user with a single id', () => {
  const user = ordinaryUser([]);
  const cases = allCases.filter((one) => one.ordinaryUser === undefined && one.singleId === undefined);
  compareAll({ ...userSetting(user), cases });
});

function userSetting(user: OrdinaryUser): Omit<Setting, 'cases'> {
  const owner = () => ({ uid: user.uid, gid: user.uid });
  return {
    folder: () => {
      const folder = join(user.folder, 'differential');
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    owner,
    builder: (folder) =>
      makeBuilder(folder, {
        owner: owner(),
        start: (args, root) => user.start(args, { env: { SLIPWAY_ROOT: root }, cwd: '/' }),
      }),
  };
}

function compareAll({ folder, builder: make, owner, cases }: Setting): void {
  let builder: ReturnType<Setting['builder']>;

  beforeAll(async () => {
    builder = make(folder());
    for (const [name, entries] of Object.entries(readBases())) await builder.import(name, makeTar(entries));
  });

  afterAll(() => builder?.close?.());

  test.each(Object.keys(bases))('the base %s', async (name) => {
    expect(listFiles(readImage(await builder.save(name)).layers)).toEqual(bases[name]!.files);
  });

  const queue = new PQueue({ concurrency: 2 });
  test.concurrent.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) =>
    queue.add(() => check(one)),
  );

  async function check(one: Case): Promise<void> {
    const { name } = one;
    const context = join(folder(), name);
    await makeTree(context, one.context ?? {}, owner?.());
    if (one.first !== undefined) {
      const tag = `slipway.test/first-${name}:1`;
      const first = await builder.build(context, one.first, { tag });
      expect(first, 'the first Dockerfile').not.toHaveProperty('error');
    }
    const built = await builder.build(context, one.dockerfile, one);
    const expected = readExpected(name);
    const failure = one.differs?.succeeds === undefined ? (one.differs?.fails ?? one.fails) : undefined;
    if (failure !== undefined) {
      expect('error' in built ? built.error : 'it was built').toContain(failure);
      return;
    }
    if ('error' in built) throw new Error(built.error);
    const ours = compared(readImage(built.archive), bases);
    if (one.differs?.succeeds !== undefined) {
      expect({ root: ours.root, removed: ours.removed }).toEqual(one.differs.succeeds);
      return;
    }
    expect(withoutIgnored(ours, one, rules)).toEqual(wanted(expected, one));
  }
}

describe('the data', () => {
  test('there are as many cases as there have to be', () =>
    expect(allCases.length).toBeGreaterThanOrEqual(170));

  test.each(
    allCases
      .filter(({ differs }) => differs !== undefined)
      .map(({ name, differs }) => [name, differs!] as const),
  )('the difference of %s is documented', (_, { documented }) =>
    expect(documents).toContain(`**${documented}`),
  );

  test.each(rules.ignored)('$path is ignored for a reason', ({ reason, cases: only = [] }) => {
    expect(reason).not.toBe('');
    expect(allCases.map(({ name }) => name)).toEqual(expect.arrayContaining(only));
  });
});

/** What the engine recorded, with what is another way here on purpose. */
function wanted(expected: Expected, one: Case): Compared {
  if ('error' in expected) throw new Error(`${one.name} failed in the engine: ${expected.error}`);
  const { root, ...rest } = withoutIgnored(expected, one, rules);
  return { ...rest, root: withDifference(root, one.differs) };
}

function withDifference(
  root: Record<string, string>,
  differs: Difference | undefined,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ ...root, ...differs?.root }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    ),
  );
}
