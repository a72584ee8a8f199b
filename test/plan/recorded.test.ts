import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HistoryEntry, ImageConfig } from '../../src/image/types.ts';
import { AMD64, planText } from './plan-fixture.ts';

/** What a real engine made of the same files; `testdata/plan/record.ts` writes them. */
interface Recorded extends Pick<ImageConfig, 'architecture' | 'os' | 'config'> {
  engine: string;
  author?: string;
  history: HistoryEntry[];
  steps: string[];
}

const folder = join(import.meta.dirname, '../../testdata/plan');
const read = <T>(...path: string[]): T => JSON.parse(readFileSync(join(folder, ...path), 'utf8')) as T;
const base = read<Recorded & { name: string; layers: number }>('base.json');
const cases = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'expected.json')));

/** This engine counts and names the steps of triggers in another way than newer ones, whose way is ours. */
const OTHER_STEPS = new Set(['onbuild', 'onbuild-simple']);

function withoutNull(config: object): object {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}

describe('plans equal what an engine recorded', () => {
  test('there are cases', () => expect(cases.length).toBeGreaterThan(15));

  test.each(cases)('%s', async (name) => {
    const expected = read<Recorded>(name, 'expected.json');
    const options = existsSync(join(folder, name, 'options.json'))
      ? read<{ buildArgs?: Record<string, string>; labels?: Record<string, string>; target?: string }>(
          name,
          'options.json',
        )
      : {};
    const plan = await planText(readFileSync(join(folder, name, 'Dockerfile'), 'utf8'), {
      platform: AMD64,
      buildArgs: new Map(Object.entries({ BASE: base.name, ...options.buildArgs })),
      labels: new Map(Object.entries(options.labels ?? {})),
      target: options.target,
      resolveImage: async () => ({
        imageId: 'sha256:base',
        diffIds: Array.from({ length: base.layers }, (_, index) => `sha256:${index}`),
        config: { ...base, rootfs: { type: 'layers', diff_ids: [] } },
      }),
    });
    const stage = plan.stages[plan.target]!;
    const history = stage.history.map(({ node: _, ...entry }) => entry);
    expect({ config: stage.config, author: stage.author, history }).toEqual({
      config: withoutNull(expected.config),
      author: expected.author,
      history: expected.history,
    });
    if (OTHER_STEPS.has(name)) return;
    const steps = plan.nodes.flatMap((node) => (node.label === '' ? [] : [`${node.label} ${node.title}`]));
    const isBase = (step: string) => step.includes('] FROM ');
    expect(steps.filter((step) => !isBase(step)).sort()).toEqual(
      expected.steps.filter((step) => !isBase(step)),
    );
    // The engine shows a base that several stages share under one of them.
    expect(steps.filter(isBase)).toEqual(expect.arrayContaining(expected.steps.filter(isBase)));
  });
});
