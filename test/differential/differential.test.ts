import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { beforeAll, describe, expect, test } from 'vitest';
import { type OrdinaryUser, ordinaryUser } from '../rootless/ordinary-user.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program, root } from '../support/need.ts';
import { type Builder, makeBuilder, ownTier, type Tier } from './builder.ts';
import {
  buildFlags,
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
  tier: () => Tier;
  cases: Case[];
}

describeWith({ needs: [root()] }, 'builds equal what an engine recorded', () => {
  const folder = suiteFolder('big');
  compareAll({ folder: () => folder.path, tier: () => ownTier, cases: allCases });
});

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

function userSetting(user: OrdinaryUser): Pick<Setting, 'folder' | 'tier'> {
  return {
    folder: () => {
      const folder = join(user.folder, 'differential');
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    tier: () => ({
      owner: { uid: user.uid, gid: user.uid },
      start: (args, root) => user.start(args, { env: { SLIPWAY_ROOT: root }, cwd: '/' }),
    }),
  };
}

function compareAll({ folder, tier, cases }: Setting): void {
  let builder: Builder;

  beforeAll(async () => {
    builder = makeBuilder(folder(), tier());
    for (const [name, entries] of Object.entries(readBases())) await builder.import(name, makeTar(entries));
  });

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
    await makeTree(context, one.context ?? {}, tier().owner);
    if (one.first !== undefined) {
      const first = await builder.build(context, one.first, ['-t', `slipway.test/first-${name}:1`]);
      expect(first, 'the first Dockerfile').not.toHaveProperty('error');
    }
    const built = await builder.build(context, one.dockerfile, buildFlags(one));
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
    expect(allCases.length).toBeGreaterThanOrEqual(40));

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
