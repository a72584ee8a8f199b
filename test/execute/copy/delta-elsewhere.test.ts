import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { randomOf, testSeed } from '../../robustness/random.ts';
import { REPRODUCIBLE } from '../../rootless/images.ts';
import { BASE, ordinaryUser } from '../../rootless/ordinary-user.ts';
import { describeWith, program, root } from '../../support/need.ts';
import { randomTree } from '../../support/random-tree.ts';
import { slipway } from '../../support/slipway.ts';

const FILES = 300;
const ROUNDS = 2;
const needs = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];
const seed = testSeed();

/** Runs the command line somewhere; gives its standard output. */
type Run = (args: readonly string[]) => Promise<string>;

/** Builds a tree after random edits, over the layer of the last build and in full, and expects equal images. */
async function expectEqual(
  folder: string,
  owner: number,
  runs: { here: Run; asRoot: Run; layers: string },
): Promise<void> {
  const random = randomOf(seed);
  const context = join(folder, `context-${owner}`);
  mkdirSync(join(context, 'tree'), { recursive: true });
  writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\nCOPY --chown=7:8 tree /srv/tree\n`);
  const tree = randomTree(join(context, 'tree'), FILES, random);
  const build = (run: Run, ...flags: string[]) => run(['build', '-q', ...flags, context]);
  const own = () => execFileSync('chown', ['-Rh', `${owner}:${owner}`, context]);
  own();
  await build(runs.here);
  let deltas = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const edits = Array.from({ length: 1 + Math.floor(random() * 6) }, () => tree.edit());
    // Times alone make no other key.
    writeFileSync(join(context, `tree/round-${round}`), '');
    own();
    const delta = await build(runs.here);
    if (namesIn(newest(runs.layers)) < FILES / 2) deltas++;
    const whole = await build(runs.here, '--no-cache');
    expect(delta, edits.join(', ')).toBe(whole);
    expect(await build(runs.asRoot, '--no-cache'), edits.join(', ')).toBe(whole);
  }
  expect(deltas).toBeGreaterThan(0);
  expect((await runs.here(['system', 'check'])).trim()).toBe('The store is whole.');
}

/** The directory of the layer that was made last. */
function newest(layers: string): string {
  const numbers = readdirSync(layers).map((name) => Number.parseInt(name, 36));
  return join(layers, Math.max(...numbers).toString(36));
}

function namesIn(directory: string): number {
  return (readdirSync(directory, { recursive: true }) as string[]).length;
}

for (const [name, ranges] of [
  ['a user with subordinate ids', ['700300000:65536']],
  ['a user with a single id', []],
] as const) {
  describeWith({ needs }, `a COPY over an earlier layer: ${name}`, () => {
    const user = ordinaryUser(ranges);

    it(`gives the image of a clean build, and of root (seed ${seed})`, async () => {
      const options = { root: join(user.folder, 'store-of-root'), cwd: user.folder, env: REPRODUCIBLE };
      await slipway(['import', join(user.folder, 'base.tar'), BASE], options);
      await expectEqual(user.folder, user.uid, {
        here: (args) => user.ok(args, { env: REPRODUCIBLE }),
        asRoot: (args) => slipway(args, options),
        layers: join(user.store, 'layers'),
      });
    });

    if (ranges.length > 0) return;

    it(`does so where there is no overlayfs (seed ${seed})`, async () => {
      const options = { root: join(user.folder, 'store-of-root'), cwd: user.folder, env: REPRODUCIBLE };
      const copying = { ...options, root: join(user.folder, 'store-of-copies') };
      const here: Run = (args) =>
        slipway(args, { ...copying, env: { ...REPRODUCIBLE, SLIPWAY_ISOLATION: 'none' } });
      await here(['import', join(user.folder, 'base.tar'), BASE]);
      await expectEqual(user.folder, 0, {
        here,
        asRoot: (args) => slipway(args, options),
        layers: join(copying.root, 'layers'),
      });
    });
  });
}
