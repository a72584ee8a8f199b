import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../src/errors/index.ts';
import { IMAGE_INSPECT } from '../../src/image/inspect-schema.ts';
import { formatDocument } from '../../src/template/format-document.ts';
import { parseFormat } from '../../src/template/index.ts';

interface Recorded {
  recordedWith: string;
  document: unknown;
  cases: { template: string; status: number; stdout: string; stderr: string }[];
}

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../testdata/template/recorded.json'), 'utf8'),
) as Recorded;

/** Exit code and text of `inspect --format`: 64 for a template that cannot be parsed. */
function format(template: string): { status: number; text: string } {
  let parsed: ReturnType<typeof parseFormat>;
  try {
    parsed = parseFormat(template);
  } catch (error) {
    return { status: 64, text: messageOf(error) };
  }
  try {
    return { status: 0, text: formatDocument(parsed, recorded.document, IMAGE_INSPECT) };
  } catch (error) {
    return { status: 1, text: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof SlipwayError)) throw error;
  return error.message;
}

describe(`templates as recorded from ${recorded.recordedWith}`, () => {
  test('are many', () => expect(recorded.cases.length).toBeGreaterThan(120));

  test.each(recorded.cases)('$template', ({ template, status, stdout, stderr }) => {
    const expected = (status === 0 ? stdout : stderr).replace(/\n$/, '');
    expect(format(template)).toEqual({ status, text: expected });
  });
});
