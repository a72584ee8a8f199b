import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BuildHistory } from '../../src/record/history.ts';
import { buildFolder, buildsPath, RECORD_FILE } from '../../src/record/layout.ts';
import { buildsAreDue, tidyBuilds } from '../../src/record/retention.ts';
import { putStep } from '../../src/store/steps.ts';
import { openStore } from '../../src/store/store.ts';
import { suiteFolder } from '../support/folders.ts';

const folder = suiteFolder('big');
const DAY = 24 * 3_600_000;

function addBuild(root: string, started: number, id: string): void {
  const path = buildFolder(root, started, id);
  mkdirSync(path, { recursive: true });
  writeFileSync(
    join(path, RECORD_FILE),
    JSON.stringify({
      format: 1,
      id,
      started,
      state: 'done',
      subject: {},
      tags: [],
      stages: [],
      target: 0,
      steps: [],
      tasks: [],
    }),
  );
}

function addStep(store: ReturnType<typeof openStore>, buildId: string): void {
  putStep(store, {
    key: `key of ${buildId}`,
    definition: 'd',
    parentChain: '',
    created: '',
    durationMs: 1,
    buildId,
    bootId: '',
    parts: {},
  });
}

const id = (n: number): string => n.toString(16).padStart(12, '0');

test('the newest hundred are listed; of older ones those stay readable whose results the cache holds', () => {
  const root = join(folder.path, 'many');
  using store = openStore(root);
  const now = Date.now();
  for (let n = 0; n < 130; n++) addBuild(root, now - n * 1000, id(n));
  addStep(store, id(120));
  expect(buildsAreDue(root)).toBe(true);
  tidyBuilds(store);
  expect(buildsAreDue(root)).toBe(false);
  const history = new BuildHistory(root);
  expect(history.ids()).toEqual(Array.from({ length: 100 }, (_, n) => id(n)));
  expect(history.get(id(120))?.id).toBe(id(120));
  expect(history.get(id(110))).toBeUndefined();
  store.database.run('DELETE FROM steps');
  tidyBuilds(store);
  expect(readdirSync(buildsPath(root))).toHaveLength(100);
});

test('what is older than a month goes, but for the last build', () => {
  const root = join(folder.path, 'old');
  using store = openStore(root);
  for (let n = 0; n < 3; n++) addBuild(root, Date.now() - (40 + n) * DAY, id(n));
  expect(buildsAreDue(root)).toBe(true);
  tidyBuilds(store);
  expect(new BuildHistory(root).ids()).toEqual([id(0)]);
  expect(buildsAreDue(root)).toBe(false);
});

test('a folder whose deletion was cut short is no build, and goes the next time', () => {
  const root = join(folder.path, 'cut');
  using store = openStore(root);
  addBuild(root, Date.now(), id(1));
  mkdirSync(join(buildsPath(root), 'abcdefghi.000000000002.gone', 'rest'), { recursive: true });
  mkdirSync(buildFolder(root, Date.now(), id(3)), { recursive: true });
  expect(new BuildHistory(root).all().map((record) => record.id)).toEqual([id(1)]);
  tidyBuilds(store);
  expect(readdirSync(buildsPath(root)).filter((name) => name.endsWith('.gone'))).toEqual([]);
});
