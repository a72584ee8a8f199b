/**
 * The test command. Without arguments: provides what the tests need, then lint, types, dead code and all suites. With
 * arguments: only the suites, with the arguments handed to vitest (`npm test -- test/layer`). With
 * SLIPWAY_TEST_STRICT=1 a skipped suite fails the run unless test/support/allowed-skips.ts names it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALLOWED_SKIPS } from '../test/support/allowed-skips.ts';
import { runChecks } from './test/checks.ts';
import { providePackages } from './test/packages.ts';
import { failures, forbiddenSkips, type RunSummary, summaryText, type Verdict } from './test/summary.ts';

const begin = performance.now();
const projectRoot = join(import.meta.dirname, '..');
process.chdir(projectRoot);

const filters = process.argv.slice(2);
const strict = process.env.SLIPWAY_TEST_STRICT === '1';
const scratch = mkdtempSync(join(tmpdir(), 'slipway-test-run-'));
const summaryFile = join(scratch, 'summary.json');
const env = {
  ...process.env,
  PATH: `${join(projectRoot, 'node_modules/.bin')}:${process.env.PATH ?? ''}`,
  SLIPWAY_TEST_SUMMARY: summaryFile,
};

try {
  if (filters.length === 0) for (const line of providePackages()) process.stdout.write(`${line}\n`);
  const checks = filters.length === 0 ? runChecks(env) : [];
  const run = runSuites();
  const verdict: Verdict = {
    run,
    checks,
    forbiddenSkips: strict ? forbiddenSkips(run.skippedSuites, ALLOWED_SKIPS) : [],
    seconds: (performance.now() - begin) / 1000,
  };
  process.stdout.write(summaryText(verdict));
  process.exitCode = failures(verdict) === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function runSuites(): RunSummary {
  const args = ['run', '--reporter=default', '--reporter=./tools/test/summary-reporter.ts', ...filters];
  const { status } = spawnSync('vitest', args, { stdio: ['ignore', 'inherit', 'inherit'], env });
  const run = readSummary();
  // Whatever made vitest fail without a failed test (no test found, an error between tests) counts as one failure.
  if (status !== 0 && run.failed === 0) run.failed = 1;
  return run;
}

function readSummary(): RunSummary {
  try {
    return JSON.parse(readFileSync(summaryFile, 'utf8')) as RunSummary;
  } catch {
    return { suites: 0, passed: 0, failed: 0, skipped: 0, skippedSuites: [], slowest: [] };
  }
}
