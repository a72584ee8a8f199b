import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCases } from '../differential/cases.ts';
import { cases, coverage, pending, readJson, recorded, rules } from './rule-data.ts';

const { casesOf, unknown } = coverage();

test('every rule has an id of its own, and a case', () => {
  expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
  expect([...casesOf].filter(([, names]) => names.length === 0).map(([id]) => id)).toEqual(pending);
  process.stdout.write(`${rules.length} rules, ${[...casesOf.values()].flat().length} cases of them\n`);
});

test('cases name rules that exist', () => expect(unknown).toEqual([]));

test('names of cases are their own', () => {
  const names = cases.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test('a rule about what is refused has a case that is refused', () => {
  const refused = new Set([
    ...cases.filter((one) => one.fails !== undefined).flatMap((one) => one.rules),
    ...readCases()
      .filter((one) => one.fails !== undefined || one.differs?.fails !== undefined)
      .flatMap(({ name }) => recorded.differential[name] ?? []),
    ...readJson<{ name: string; error?: string }[]>('grammar/engine.json')
      .filter(({ error }) => error !== undefined)
      .flatMap(({ name }) => recorded.grammar[name] ?? []),
    ...readJson<{ cases: { rules?: string[] }[] }>('plan/errors.json').cases.flatMap(
      (one) => one.rules ?? [],
    ),
    ...readJson<{ cases: { rule: string; error?: string }[] }>('dockerfile/expand.json').cases.flatMap(
      (one) => (one.error === undefined ? [] : [one.rule]),
    ),
    ...recorded.context,
    ...Object.values(recorded.suites).flatMap((titles) => Object.values(titles).flat()),
  ]);
  const without = rules.filter(({ id, rule }) => rule.includes('[E]') && !refused.has(id));
  expect(without.map(({ id }) => id).filter((id) => !pending.includes(id))).toEqual([]);
});

test('what is said to be shown elsewhere is there', () => {
  const differential = new Set(readCases().map(({ name }) => name));
  const grammar = new Set(readJson<{ name: string }[]>('grammar/engine.json').map(({ name }) => name));
  expect(Object.keys(recorded.differential).filter((name) => !differential.has(name))).toEqual([]);
  expect(Object.keys(recorded.grammar).filter((name) => !grammar.has(name))).toEqual([]);
  for (const [file, titles] of Object.entries(recorded.suites)) {
    const path = join(import.meta.dirname, '../..', file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    expect(Object.keys(titles).filter((title) => !text.includes(title))).toEqual([]);
  }
});
