import { beforeAll, expect, test } from 'vitest';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, root } from '../support/need.ts';
import { buildCase, checkOutcome, commandCase, importBases, wantedBy } from './case-runner.ts';
import { type CaseSettings, cases, readJson, recorded, recordedErrors } from './rule-data.ts';

interface Word {
  word: string;
  value?: string;
  error?: string;
  ours?: { value?: string; error?: string };
}

/** `testdata/grammar/engine.json`; see test/grammar/engine.test.ts. */
interface Recorded {
  name: string;
  dockerfile: string;
  error?: string;
  cmd?: string[] | null;
  entrypoint?: string[] | null;
  onbuild?: string[] | null;
}

describeWith({ needs: [root()] }, 'rules of the Dockerfile language, by builds', () => {
  const folder = suiteFolder('big');

  beforeAll(() => importBases(folder.path));

  test.each(cases.map((one) => [`${one.rules.join(' ')}: ${one.name}`, one] as const))(
    '%s',
    async (_, one) => {
      if (one.first !== undefined) {
        const { refused } = await buildCase(
          { ...one, dockerfile: one.first, tag: 'first' },
          { folder: folder.path, want: 'nothing' },
        );
        expect(refused?.text).toBeUndefined();
      }
      let settings: CaseSettings & { command?: string[] } = {};
      for (const step of [one, ...(one.again ?? [])]) {
        settings = { ...settings, ...step, context: { ...settings.context, ...step.context } };
        const how = { folder: folder.path, want: wantedBy(step) };
        checkOutcome(await (settings.command === undefined ? buildCase : commandCase)(settings, how), step);
      }
    },
  );

  test.each(recordedErrors)('refused as by an engine: $file', async ({ file, error, ours }) => {
    const outcome = await buildCase(
      { dockerfile: file.split('\n') },
      { folder: folder.path, want: 'nothing' },
    );
    checkOutcome(outcome, { fails: [ours ?? error] });
  });

  test('words expanded as by an engine', async () => {
    const { env, cases: words } = readJson<{ env: Record<string, string>; cases: Word[] }>(
      'dockerfile/expand.json',
    );
    const variables = Object.entries(env).map(([key, value]) => `ENV ${key}='${value}'`);
    const good = words.filter((one) => one.error === undefined && one.ours?.error === undefined);
    const labels = good.map(({ word }, index) => `LABEL l${index}=${word}`);
    const outcome = await buildCase(
      { dockerfile: ['FROM scratch', ...variables, ...labels] },
      { folder: folder.path, want: 'config' },
    );
    const wanted = good.map(({ value, ours }, index) => [`l${index}`, ours?.value ?? value]);
    checkOutcome(outcome, { config: { Labels: Object.fromEntries(wanted) } });
    for (const { word, error, ours } of words) {
      if (error === undefined) continue;
      const refused = await buildCase(
        { dockerfile: ['FROM scratch', ...variables, `LABEL l=${word}`] },
        { folder: folder.path, want: 'nothing' },
      );
      checkOutcome(refused, { fails: [ours?.error ?? error] });
    }
  });

  const grammar = readJson<Recorded[]>('grammar/engine.json').filter(({ name }) => recorded.grammar[name]);
  test.each(grammar)(
    'read as by an engine: $name',
    async ({ dockerfile, error, cmd, entrypoint, onbuild }) => {
      const outcome = await buildCase(
        { dockerfile: [dockerfile] },
        { folder: folder.path, want: error === undefined ? 'config' : 'nothing' },
      );
      // This engine names flags without their hyphens.
      const said = error
        ?.replace(/(flag(?: specified)?:? )(?=\w)/, '$1--')
        .replace(/mean (?=[a-z]+\?)/, 'mean ');
      if (said === undefined)
        checkOutcome(outcome, { config: { Cmd: cmd, Entrypoint: entrypoint, OnBuild: onbuild } });
      else checkOutcome(outcome, { fails: [said] });
    },
  );
});
