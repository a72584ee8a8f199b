import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { lastCost } from '../../src/store/step-costs.ts';
import { openStore } from '../../src/store/store.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const DOCKERFILE = `FROM ${BASE_IMAGE} AS common
RUN cat /proc/sys/kernel/random/uuid > /common

FROM common AS app
RUN echo app > /app

FROM common AS tool
RUN echo tool > /tool
LABEL kind=tool

FROM ${BASE_IMAGE} AS check
RUN echo checked && test ! -e /wrong

FROM scratch AS last
COPY --from=app /app /app
`;

describe('several targets', () => {
  const store = suiteStore();
  let context: string;
  beforeAll(() => {
    context = store.context('context', { Dockerfile: DOCKERFILE });
  });

  const labelOf = async (image: string, name: string): Promise<string> => {
    const [inspected] = JSON.parse(await store.ok(['image', 'inspect', image])) as [
      { Config: { Labels?: Record<string, string> } },
    ];
    return inspected.Config.Labels?.[name] ?? '';
  };

  it('come out of one build, each under its own names, and share what they have in common', async () => {
    const iidFile = join(context, '../ids');
    const out = join(context, '../out');
    const quiet = await store.ok([
      ...['build', '-q', '--iidfile', iidFile, '--label', 'by=test'],
      ...['--target', 'app', '-t', 'test/app:1', '-t', 'test/app:2'],
      ...['--target', 'tool', '-t', 'test/tool', '-o', `type=local,dest=${out}`, context],
    ]);
    const ids = quiet.trim().split('\n');
    expect(ids).toHaveLength(2);
    expect(readFileSync(iidFile, 'utf8')).toBe(ids.join('\n'));
    const images = await store.ok(['images', '--no-trunc', '-q', 'test/*']);
    expect(new Set(images.trim().split('\n'))).toEqual(
      new Set([...ids, ...(await store.ok(['images', '--no-trunc', '-q', BASE_IMAGE])).trim().split('\n')]),
    );
    const app = await store.ok(['run', '--rm', 'test/app:2', 'cat', '/common', '/app']);
    expect(app).toBe(`${readFileSync(join(out, 'common'), 'utf8')}app\n`);
    expect(readFileSync(join(out, 'tool'), 'utf8')).toBe('tool\n');
    expect(existsSync(join(out, 'app'))).toBe(false);
    expect([await labelOf('test/app:1', 'by'), await labelOf('test/tool', 'by')]).toEqual(['test', 'test']);
    expect([await labelOf('test/app:1', 'kind'), await labelOf('test/tool', 'kind')]).toEqual(['', 'tool']);
  });

  it('each equal what a build of its own gives', async () => {
    const both = await store.ok(['build', '-q', '--target', 'app', '--target', 'tool', context]);
    const alone = [
      await store.ok(['build', '-q', '--target=app', context]),
      await store.ok(['build', '-q', '--target=tool', context]),
    ];
    expect(both).toBe(alone.join(''));
  });

  it('one that does not exist is named', async () => {
    const { stderr, exitCode } = await store.run([
      ...['build', '--target', 'app', '--target', 'tol', context],
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('target stage "tol" could not be found (did you mean tool?)');
  });

  it('stages that nothing needs run only with --all-stages', async () => {
    const plain = await store.run(['build', '--progress=plain', context]);
    expect(plain.stderr).not.toContain('[check');
    const all = await store.run(['build', '--progress=plain', '--all-stages', '-t', 'test/all', context]);
    expect(all.exitCode).toBe(0);
    expect(all.stderr).toContain('checked');
    expect(await store.ok(['images', '-q', 'test/all'])).toBe(
      await store
        .ok(['build', '-q', context])
        .then((id) => `${id.trim().slice('sha256:'.length, 'sha256:'.length + 12)}\n`),
    );
    const failing = store.context('failing', {
      Dockerfile: DOCKERFILE.replace('/wrong', '/etc'),
    });
    const failed = await store.run(['build', '--all-stages', failing]);
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('test ! -e /etc');
    expect((await store.run(['build', failing])).exitCode).toBe(0);
  });
});

describe('what a RUN needed', () => {
  const store = suiteStore();

  it('is recorded: its time, and its memory without the page cache', async () => {
    const context = store.context('memory', {
      Dockerfile: [
        `FROM ${BASE_IMAGE}`,
        "RUN x=$(head -c 60000000 /dev/zero | tr '\\0' x) && sleep 0.5 && echo ${#x}",
        'RUN head -c 60000000 /dev/zero > /file && sleep 0.5',
        '',
      ].join('\n'),
    });
    await store.ok(['build', '--memory-budget', '1m', context]);
    using opened = openStore(store.root);
    const rows = opened.database.all<{ name: string }>('SELECT name FROM costs ORDER BY name');
    const costs = rows.map(({ name }) => lastCost(opened, name)!);
    expect(costs).toHaveLength(2);
    for (const { durationMs } of costs) expect(durationMs).toBeGreaterThanOrEqual(500);
    const [written, held] = costs.map(({ peakMemory }) => peakMemory!);
    expect(held).toBeGreaterThan(60_000_000);
    expect(written).toBeLessThan(20_000_000);
  });
});
