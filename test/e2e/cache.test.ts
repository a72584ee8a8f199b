import { chmodSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const IMAGE = 'test/cache';

/** Each RUN leaves a value that is another whenever it runs, so that reuse shows in the result itself. */
const MARK = 'cat /proc/sys/kernel/random/uuid >';

const DOCKERFILE = `FROM ${BASE_IMAGE} AS tools
RUN ${MARK} /tools

FROM ${BASE_IMAGE}
RUN ${MARK} /first
COPY a /a
RUN ${MARK} /after-a
ARG VERSION=1
RUN ${MARK} /after-arg
COPY b /b
RUN ${MARK} /after-b
COPY --from=tools /tools /tools
LABEL edition=1
`;

const MARKS = ['tools', 'first', 'after-a', 'after-arg', 'after-b'] as const;

type Mark = (typeof MARKS)[number];

describe('what is built again', () => {
  const store = suiteStore();
  let context: string;
  let last: Record<Mark, string>;

  async function build(...flags: string[]): Promise<Record<Mark, string>> {
    await store.ok(['build', '-t', IMAGE, ...flags, context]);
    const text = await store.ok(['run', '--rm', IMAGE, 'cat', ...MARKS.map((mark) => `/${mark}`)]);
    const values = text.trim().split('\n');
    return Object.fromEntries(MARKS.map((mark, index) => [mark, values[index]!])) as Record<Mark, string>;
  }

  /** Builds and gives the names of the steps whose value is another than before. */
  async function ranAgain(...flags: string[]): Promise<Mark[]> {
    const before = last;
    last = await build(...flags);
    return MARKS.filter((mark) => last[mark] !== before[mark]);
  }

  function edit(change: (text: string) => string): void {
    const file = join(context, 'Dockerfile');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  }

  beforeAll(async () => {
    context = store.context('context', {
      Dockerfile: DOCKERFILE,
      '.dockerignore': '*.log\n',
      a: 'a\n',
      b: 'b\n',
      unused: 'unused\n',
    });
    last = await build();
    expect(new Set(Object.values(last)).size).toBe(MARKS.length);
  });

  it('nothing, when nothing changed', async () => {
    expect(await ranAgain()).toEqual([]);
  });

  it('nothing, when only times changed', async () => {
    utimesSync(join(context, 'a'), 1_000_000, 1_000_000);
    expect(await ranAgain()).toEqual([]);
  });

  it('nothing, when a file changed that no COPY selects', async () => {
    writeFileSync(join(context, 'unused'), 'changed\n');
    writeFileSync(join(context, 'new.log'), 'ignored\n');
    expect(await ranAgain()).toEqual([]);
  });

  it('nothing, when metadata changed', async () => {
    edit((text) => text.replace('edition=1', 'edition=2'));
    expect(await ranAgain('--label', 'by=test')).toEqual([]);
  });

  it('nothing, when a comment or the layout of the Dockerfile changed', async () => {
    edit((text) => `# a comment\n${text.replace('COPY a /a', 'COPY \\\n  a \\\n  /a')}`);
    expect(await ranAgain()).toEqual([]);
  });

  it('what follows a COPY whose file changed', async () => {
    writeFileSync(join(context, 'b'), 'changed\n');
    expect(await ranAgain()).toEqual(['after-b']);
    writeFileSync(join(context, 'a'), 'changed\n');
    expect(await ranAgain()).toEqual(['after-a', 'after-arg', 'after-b']);
  });

  it('nothing, when a file is what it was at an earlier build', async () => {
    const marks = last;
    writeFileSync(join(context, 'b'), 'third\n');
    expect(await ranAgain()).toEqual(['after-b']);
    writeFileSync(join(context, 'b'), 'changed\n');
    await ranAgain();
    expect(last).toEqual(marks);
  });

  it('what follows a COPY whose file has another mode', async () => {
    chmodSync(join(context, 'b'), 0o755);
    expect(await ranAgain()).toEqual(['after-b']);
  });

  it('what follows an ARG whose value changed', async () => {
    expect(await ranAgain('--build-arg', 'VERSION=2')).toEqual(['after-arg', 'after-b']);
    expect(await ranAgain('--build-arg', 'VERSION=2')).toEqual([]);
  });

  it('what follows a command that changed', async () => {
    edit((text) => text.replace('/after-arg', '/after-arg && true'));
    expect(await ranAgain('--build-arg', 'VERSION=2')).toEqual(['after-arg', 'after-b']);
  });

  it('a stage and what copies from it, not what stands beside it', async () => {
    edit((text) => text.replace('> /tools', '> /tools && true'));
    expect(await ranAgain('--build-arg', 'VERSION=2')).toEqual(['tools']);
  });

  it('the stage that --no-cache-filter names, and no other', async () => {
    expect(await ranAgain('--build-arg', 'VERSION=2', '--no-cache-filter', 'other,Tools')).toEqual(['tools']);
    expect(await ranAgain('--build-arg', 'VERSION=2', '--no-cache-filter', 'no-such-stage')).toEqual([]);
    const both = await store.run(['build', '--no-cache', '--no-cache-filter', 'tools', context]);
    expect(both.exitCode).toBe(1);
    expect(both.stderr).toContain('--no-cache and --no-cache-filter cannot currently be used together');
  });

  it('the step below the comment that asks for it, whenever it is built', async () => {
    edit((text) => text.replace('ARG VERSION', '# slipway: no-cache\nRUN true\nARG VERSION'));
    await ranAgain('--build-arg', 'VERSION=2');
    edit((text) => text.replace('RUN true', `RUN ${MARK} /first`));
    expect(await ranAgain('--build-arg', 'VERSION=2')).toEqual(['first', 'after-arg', 'after-b']);
    expect(await ranAgain('--build-arg', 'VERSION=2')).toEqual(['first', 'after-arg', 'after-b']);
  });

  it('everything with --no-cache', async () => {
    expect(await ranAgain('--build-arg', 'VERSION=2', '--no-cache')).toEqual([...MARKS]);
  });
});
