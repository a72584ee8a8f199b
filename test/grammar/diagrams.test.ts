import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diagramFiles } from '../../tools/diagrams.ts';

const docs = join(import.meta.dirname, '../../docs');

test('the diagrams in docs/ are those of the grammar (npm run diagrams)', () => {
  const files = diagramFiles();
  const found = ['grammar.md', ...readdirSync(join(docs, 'grammar')).map((name) => `grammar/${name}`)];
  expect(found.sort()).toEqual([...files.keys()].sort());
  for (const [path, text] of files) expect(readFileSync(join(docs, path), 'utf8'), path).toBe(text);
});

test('the diagrams need no network', () => {
  for (const text of diagramFiles().values()) {
    expect(text.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|@import/);
  }
});
