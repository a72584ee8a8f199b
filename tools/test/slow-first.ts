import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Suites that take longest, the longest first: one of them begun last would keep the run waiting for it alone. */
const SLOW = [
  'test/robustness/kills.test.ts',
  'test/differential/differential.test.ts',
  'test/rules/builds.test.ts',
  'test/robustness/full-disk.test.ts',
  'test/transcripts/transcripts.test.ts',
  'test/model/model.test.ts',
  'test/hardening/bombs.test.ts',
  'test/robustness/odd-homes.test.ts',
  'test/robustness/together.test.ts',
];

/** Begins with the slow suites; the others come in vitest's order. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification): number => {
      const index = SLOW.findIndex((file) => moduleId.endsWith(`/${file}`));
      return index === -1 ? SLOW.length : index;
    };
    return sorted.sort((a, b) => place(a) - place(b));
  }
}
