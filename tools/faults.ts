/**
 * `npm run faults -- [--runs 200] [--seed N]`: pulls and pushes through a proxy that spoils them at random, more of them
 * than the suites make by themselves. Each has to end in the image or a clear error. The seed is printed and makes the
 * same run again.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** How many of the runs are pulls; those have a store to spoil. */
const PULLS = 0.6;
const SUITES = ['test/registry/faults.test.ts', 'test/registry/push/push-image.test.ts'];

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } });
const runs = Number(values.runs ?? 200);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!Number.isInteger(runs) || runs < 2 || !Number.isInteger(seed)) {
  process.stderr.write('usage: npm run faults -- [--runs NUMBER] [--seed NUMBER]\n');
  process.exit(1);
}
const pulls = Math.ceil(runs * PULLS);
const projectRoot = join(import.meta.dirname, '..');
process.stdout.write(`${pulls} pulls and ${runs - pulls} pushes, seed ${seed}\n`);
const begin = performance.now();
const { status } = spawnSync('vitest', ['run', '--testTimeout=600000', '-t', 'at random', ...SUITES], {
  cwd: projectRoot,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: {
    ...process.env,
    PATH: `${join(projectRoot, 'node_modules/.bin')}:${process.env.PATH ?? ''}`,
    SLIPWAY_TEST_SEED: String(seed),
    SLIPWAY_FAULT_RUNS: String(pulls),
    SLIPWAY_TEST_PUSH_RUNS: String(runs - pulls),
  },
});
const seconds = Math.round((performance.now() - begin) / 1000);
process.stdout.write(
  `${runs} runs in ${seconds} s; again with: npm run faults -- --runs ${runs} --seed ${seed}\n`,
);
process.exitCode = status === 0 ? 0 : 1;
