import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const DOCS = join(import.meta.dirname, '../../docs');
const page = readFileSync(join(DOCS, 'registries.md'), 'utf8');

const both = page + readFileSync(join(DOCS, 'cache-export.md'), 'utf8');

/** A link to a suite, and the names of tests that stand behind it. */
const references = [...both.matchAll(/\[[^\]]+\]\((\.\.\/test\/[^)]+)\)((?: “[^”]+”)+)/g)].map(
  ([, file, titles]) => [file!, [...titles!.matchAll(/“([^”]+)”/g)].map(([, title]) => title!)] as const,
);

test.each(references)('%s has the tests that the pages of registries and caches name', (file, titles) => {
  const source = readFileSync(join(DOCS, file), 'utf8');
  for (const title of titles) {
    const quoted = [`'${title}`, `"${title}`, `\`${title}`].some((text) => source.includes(text));
    expect(quoted, title).toBe(true);
  }
});

test('each flow names a test', () => {
  const rows = page.split('\n').filter((line) => /^\| (?!flow|-)/.test(line));
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter((line) => !/\]\(\.\.\/test\/[^)]+\) “/.test(line))).toEqual([]);
});
