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
  // Tests of a skipped suite within a skipped one get no result of their own.
  else if (result.state === 'skipped' || (result.state === 'pending' && skippedAbove(test) !== undefined)) {
    summary.skipped += 1;
    const skip = whySkipped(test, result.state === 'skipped' ? result.note : undefined);
    const key = `${skip.file}\0${skip.name}\0${skip.reason}`;
    const known = skips.get(key);
    if (known === undefined) skips.set(key, skip);
    else known.tests += 1;
  } else summary.failed += 1;
}

/** The enclosing suite that gives a reason; else the test itself, with its note when it has one. */
function whySkipped(test: TestCase, note: string | undefined): SkippedSuite {
  const file = relative(process.cwd(), test.module.moduleId);
  const given = skippedAbove(test) ?? reasonIn(test.fullName);
  return { file, ...(given ?? { name: test.fullName, reason: note ?? 'no reason given' }), tests: 1 };
}

/** The innermost enclosing suite that gives a reason. */
function skippedAbove(test: TestCase): { name: string; reason: string } | undefined {
  let suite: TestSuite | TestModule = test.parent;
  while (suite.type === 'suite') {
    const given = reasonIn(suite.name);
    if (given !== undefined) return given;
    suite = suite.parent;
  }
  return undefined;
}

function reasonIn(text: string): { name: string; reason: string } | undefined {
  const match = REASON.exec(text);
  return match === null ? undefined : { name: text.slice(0, match.index), reason: match[1]! };
}
