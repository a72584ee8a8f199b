import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { libraryStore } from '../support/library-store.ts';
import { describeWith, root } from '../support/need.ts';
import { type ExplainRow, runRow } from './explain-rows.ts';

const TABLE = join(import.meta.dirname, '../../testdata/explain/table.json');

describeWith({ needs: [root()] }, 'why steps ran', () => {
  const store = libraryStore();
  const rows = JSON.parse(readFileSync(TABLE, 'utf8')) as ExplainRow[];

  it.each(rows)('$name', async ({ ran, ...row }) => {
    expect(await runRow(store.root, row, store.empty())).toEqual(ran);
  });
});
