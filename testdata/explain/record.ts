/**
 * Writes down what explanations of the rows in table.json say now. `node testdata/explain/record.ts [NAME]`; read the
 * difference before you keep it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importImage } from '../../src/engine/import.ts';
import { type ExplainRow, runRow } from '../../test/record/explain-rows.ts';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { memoryFolder } from '../../tools/memory-folder.ts';

const table = join(import.meta.dirname, 'table.json');
const only = process.argv[2];
const rows = JSON.parse(readFileSync(table, 'utf8')) as ExplainRow[];
const folder = mkdtempSync(join(memoryFolder(), 'slipway-explain-'));
try {
  const source = join(folder, 'base.tar');
  const root = join(folder, 'store');
  writeFileSync(source, (await makeBaseRootfs()).tar);
  await importImage({ source, reference: 'base', root });
  for (const [index, { ran: _, ...row }] of rows.entries()) {
    if (only !== undefined && !row.name.includes(only)) continue;
    rows[index] = { ...row, ran: await runRow(root, row, join(folder, `context-${index}`)) };
  }
  writeFileSync(table, `${JSON.stringify(rows, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
