import { styleText } from 'node:util';

/** What a run of the test suites came to. Suites are files and the groups inside them. */
export interface RunSummary {
  suites: number;
  passed: number;
  failed: number;
  skipped: number;
  skippedSuites: SkippedSuite[];
  /** The files that took longest, the longest first. */
  slowest: { file: string; seconds: number }[];
}

export interface SkippedSuite {
  file: string;
  name: string;
  reason: string;
  /** How many tests it holds. */
  tests: number;
}

/** One of the checks beside the tests: lint, types, dead code. */
export interface CheckResult {
  name: string;
  ok: boolean;
  seconds: number;
}

export interface Verdict {
  run: RunSummary;
  checks: readonly CheckResult[];
  /** In strict mode: what was skipped without being allowed to. */
  forbiddenSkips: readonly SkippedSuite[];
  seconds: number;
}

/** Skips that strict mode does not accept: all but those of suites named in `allowed`. */
export function forbiddenSkips(
  skipped: readonly SkippedSuite[],
  allowed: Readonly<Record<string, string>>,
): SkippedSuite[] {
  return skipped.filter((suite) => !Object.hasOwn(allowed, suite.name));
}

/** Failures of all kinds: tests, checks, and skips that strict mode forbids. The command succeeds when it is 0. */
export function failures(verdict: Verdict): number {
  return (
    verdict.run.failed + verdict.checks.filter((check) => !check.ok).length + verdict.forbiddenSkips.length
  );
}

/** The last lines of the test command. The very last one is plain, for programs: `N passed, N failed, N skipped`. */
export function summaryText(verdict: Verdict): string {
  const { run, checks } = verdict;
  const lines = [''];
  for (const check of checks) {
    lines.push(
      `${check.ok ? 'ok    ' : styleText('red', 'FAILED')} ${check.name} (${check.seconds.toFixed(1)} s)`,
    );
  }
  for (const suite of run.skippedSuites) {
    const forbidden = verdict.forbiddenSkips.includes(suite);
    const mark = forbidden ? styleText('red', 'FAILED (skipped)') : 'skipped';
    lines.push(`${mark} ${suite.file}: ${suite.name}, ${plural(suite.tests, 'test')}: ${suite.reason}`);
  }
  if (run.slowest.length > 0) {
    const files = run.slowest.map(({ file, seconds }) => `${file} ${seconds.toFixed(0)} s`);
    lines.push(`slowest ${files.join(', ')}`);
  }
  const tests = run.passed + run.failed + run.skipped;
  lines.push(
    `${plural(run.suites, 'suite')}, ${plural(tests, 'test')}, ${run.skipped} skipped, ${verdict.seconds.toFixed(0)} s`,
    `${run.passed} passed, ${failures(verdict)} failed, ${run.skipped} skipped`,
  );
  return `${lines.join('\n')}\n`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
