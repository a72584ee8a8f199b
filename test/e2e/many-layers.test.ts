import { describe, expect, it } from 'vitest';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const LINES = 200;

describe('a Dockerfile of 200 RUN lines', () => {
  const store = suiteStore();

  it('builds, runs, and sees every line', async () => {
    const runs = Array.from({ length: LINES }, (_, line) => `RUN echo ${line} > /line-${line}\n`);
    const context = store.context('many', { Dockerfile: `FROM ${BASE_IMAGE}\n${runs.join('')}` });
    await store.ok(['build', '-t', 'test/many', context]);
    const count = await store.ok([
      'run',
      '--rm',
      'test/many',
      'sh',
      '-c',
      'cat /line-* | sort -n | uniq | wc -l; cat /line-199',
    ]);
    expect(count).toBe(`${LINES}\n199\n`);
    const [image] = JSON.parse(await store.ok(['inspect', 'test/many'])) as [
      { RootFS: { Layers: string[] } },
    ];
    expect(image.RootFS.Layers.length).toBe(LINES + 1);
    expect(await store.ok(['system', 'check'])).not.toContain('missing');
  });
});
