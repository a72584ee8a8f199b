import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';
import type { RunSummary, SkippedSuite } from './summary.ts';

const REASON = / \[skipped: (.*)\]$/;

/** Writes the counts of a run, and what was skipped for which reason, to the file that SLIPWAY_TEST_SUMMARY names. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const file = process.env.SLIPWAY_TEST_SUMMARY;
    if (file === undefined || file === '') return;
    const summary: RunSummary = {
      suites: 0,
      passed: 0,
      failed: errors.length,
      skipped: 0,
      skippedSuites: [],
      slowest: slowest(modules),
    };
    const skips = new Map<string, SkippedSuite>();
    for (const module of modules) {
      summary.suites += 1 + [...module.children.allSuites()].length;
      if (!module.ok() && [...module.children.allTests()].every((test) => test.ok())) summary.failed += 1;
      for (const test of module.children.allTests()) count(test, summary, skips);
    }
    summary.skippedSuites = [...skips.values()];
    writeFileSync(file, JSON.stringify(summary));
  }
}

function slowest(modules: readonly TestModule[]): RunSummary['slowest'] {
  return modules
    .map((module) => ({
      file: relative(process.cwd(), module.moduleId),
      seconds: module.diagnostic().duration / 1000,
    }))
    .filter(({ seconds }) => seconds >= 20)
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, 15);
}

function count(test: TestCase, summary: RunSummary, skips: Map<string, SkippedSuite>): void {
  const result = test.result();
  if (result.state === 'passed') summary.passed += 1;
  else if (result.state === 'skipped' || (result.state === 'pending' && isInSkippedSuite(test))) {
    summary.skipped += 1;
    const skip = whySkipped(test, result.state === 'skipped' ? result.note : undefined);
    const key = `${skip.file}\0${skip.name}\0${skip.reason}`;
    const known = skips.get(key);
    if (known === undefined) skips.set(key, skip);
    else known.tests += 1;
  } else summary.failed += 1;
}

/** Tests of a skipped suite within a skipped one get no result of their own. */
function isInSkippedSuite(test: TestCase): boolean {
  let suite: TestSuite | TestModule = test.parent;
  while (suite.type === 'suite') {
    if (REASON.test(suite.name)) return true;
    suite = suite.parent;
  }
  return false;
}

/** The outermost enclosing suite that gives a reason; else the test itself, with its note when it has one. */
function whySkipped(test: TestCase, note: string | undefined): SkippedSuite {
  const file = relative(process.cwd(), test.module.moduleId);
  let suite: TestSuite | TestModule = test.parent;
  while (suite.type === 'suite') {
    const match = REASON.exec(suite.name);
    if (match !== null) return { file, name: suite.name.slice(0, match.index), reason: match[1]!, tests: 1 };
    suite = suite.parent;
  }
  const own = REASON.exec(test.fullName);
  if (own !== null) return { file, name: test.fullName.slice(0, own.index), reason: own[1]!, tests: 1 };
  return { file, name: test.fullName, reason: note ?? 'no reason given', tests: 1 };
}
