/** `npm run rules`: counts of the rules and their cases; with `--all` every rule. Fails when one has none. */
import { coverage, pending, rules } from './rule-data.ts';

const { casesOf, unknown } = coverage();
const sections = new Map<string, { rules: number; cases: number; without: string[] }>();
for (const { id, rule } of rules) {
  const names = casesOf.get(id)!;
  const section = /^\d+\.\d+/.exec(id)?.[0] ?? id.replace(/\d+$/, '');
  const row = sections.get(section) ?? { rules: 0, cases: 0, without: [] };
  row.rules++;
  row.cases += names.length;
  if (names.length === 0) row.without.push(id);
  sections.set(section, row);
  if (process.argv.includes('--all')) process.stdout.write(`${id.padEnd(22)} ${names.length}  ${rule}\n`);
}
for (const [section, row] of sections) {
  const without = row.without.length === 0 ? '' : `, without a case: ${row.without.join(' ')}`;
  process.stdout.write(`${section.padEnd(5)} ${row.rules} rules, ${row.cases} cases${without}\n`);
}
const all = [...sections.values()];
const sum = (key: 'rules' | 'cases') => all.reduce((total, row) => total + row[key], 0);
const missing = all.flatMap(({ without }) => without);
process.stdout.write(
  `${sum('rules')} rules, ${sum('cases')} cases, ${missing.length} rules without a case (${pending.length} known)\n`,
);
if (unknown.length > 0) process.stdout.write(`unknown ids: ${unknown.join(' ')}\n`);
if (unknown.length > 0 || missing.length > 0) process.exitCode = 1;
