import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planText } from './plan-fixture.ts';

interface Case {
  file: string;
  error: string;
  /** Our text, where it differs; `why` in the table says why. */
  ours?: string;
}

const path = join(import.meta.dirname, '../../testdata/plan/errors.json');
const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: Case[] };

test.each(cases)('$file is refused in the words of an engine', async ({ file, error, ours }) => {
  await expect(planText(file)).rejects.toThrow(expect.objectContaining({ message: ours ?? error }));
});
