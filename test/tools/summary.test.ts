import { describe, expect, it } from 'vitest';
import { failures, forbiddenSkips, type RunSummary, summaryText } from '../../tools/test/summary.ts';

const run: RunSummary = {
  suites: 3,
  passed: 5,
  failed: 0,
  skipped: 3,
  skippedSuites: [
    { file: 'test/a.test.ts', name: 'against an engine', reason: 'needs a real peer: none', tests: 2 },
    { file: 'test/b.test.ts', name: 'as a user', reason: 'needs root', tests: 1 },
  ],
  slowest: [
    { file: 'test/a.test.ts', seconds: 40.4 },
    { file: 'test/b.test.ts', seconds: 20 },
  ],
};
const checks = [{ name: 'types', ok: true, seconds: 2.25 }];

describe('summary of the test command', () => {
  it('accepts skips when it is not strict', () => {
    const verdict = { run, checks, forbiddenSkips: [], seconds: 61 };
    expect(failures(verdict)).toBe(0);
    expect(summaryText(verdict)).toMatchInlineSnapshot(`
      "
      ok     types (2.3 s)
      skipped test/a.test.ts: against an engine, 2 tests: needs a real peer: none
      skipped test/b.test.ts: as a user, 1 test: needs root
      slowest test/a.test.ts 40 s, test/b.test.ts 20 s
      3 suites, 8 tests, 3 skipped, 61 s
      5 passed, 0 failed, 3 skipped
      "
    `);
  });

  it('counts skips that are not on the list as failures when it is strict', () => {
    const forbidden = forbiddenSkips(run.skippedSuites, { 'against an engine': 'engines are large' });
    expect(forbidden.map((suite) => suite.name)).toEqual(['as a user']);
    expect(failures({ run, checks, forbiddenSkips: forbidden, seconds: 1 })).toBe(1);
  });

  it('counts a failed check as a failure', () => {
    const failed = [{ name: 'types', ok: false, seconds: 1 }];
    expect(failures({ run, checks: failed, forbiddenSkips: [], seconds: 1 })).toBe(1);
  });
});
