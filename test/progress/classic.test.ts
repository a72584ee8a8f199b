import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';
import type { ClassicRecording } from './classic-cases.ts';

const FILE = join(import.meta.dirname, '../../testdata/progress/classic.json');
const { base, cases } = JSON.parse(readFileSync(FILE, 'utf8')) as ClassicRecording;

/** Ids by the order in which they appear: what is equal stays equal. */
function withNames(text: string, names: Map<string, string>): string {
  return text.replace(
    /(?<=---> |Running in |container |built )[0-9a-f]{12}$|sha256:[0-9a-f]{64}$/gm,
    (id) => {
      const name = names.get(id) ?? `<${names.size + 1}>`;
      names.set(id, name);
      return name;
    },
  );
}

describe('--progress=classic, as recorded from the classic builder', () => {
  const store = suiteStore();
  beforeAll(async () => {
    await store.ok(['tag', BASE_IMAGE, base]);
  });

  it.each(cases)('$name', async ({ name, files, flags, runs }) => {
    const plain = Object.entries(files).filter(([, content]) => !content.startsWith('-> '));
    const context = store.context(name, Object.fromEntries(plain));
    for (const [file, content] of Object.entries(files)) {
      if (content.startsWith('-> ')) symlinkSync(content.slice(3), join(context, file));
    }
    const [expected, found] = [new Map<string, string>(), new Map<string, string>()];
    const progress = flags.includes('-q') ? [] : ['--progress=classic'];
    for (const run of runs) {
      const result = await store.run(['build', ...progress, ...flags, context], {
        env: { NO_COLOR: undefined },
      });
      expect(withNames(result.stdout, found)).toBe(withNames(run.stdout, expected));
      // Findings of the build checks, which the classic builder has not, and other failures are said in our words.
      const stderr = result.stderr.replace(/^WARNING: .*\n/gm, '');
      if (run.stderr === '' || run.stderr.startsWith('The command')) expect(stderr).toBe(run.stderr);
      else expect(result.stderr).toContain('ERROR: failed to build: failed to solve: ');
      expect(result.exitCode).toBe(run.exitCode);
    }
  });

  it('DOCKER_BUILDKIT=0 asks for it, and its ids are images that can be run and are hidden from lists', async () => {
    const context = store.context('ids', {
      Dockerfile: `FROM ${BASE_IMAGE}\nENV A=1\nRUN echo one > /file\nRUN exit 5\n`,
    });
    const env = { DOCKER_BUILDKIT: '0' };
    const { stdout, exitCode } = await store.run(['build', context], { env });
    expect(exitCode).toBe(5);
    const ids = [...stdout.matchAll(/^ ---> ([0-9a-f]{12})$/gm)].map(([, id]) => id!);
    expect(ids).toHaveLength(3);
    expect(await store.ok(['run', ids[2]!, 'sh', '-c', 'cat /file; echo $A'])).toBe('one\n1\n');
    expect(await store.ok(['images', '-q'])).not.toContain(ids[1]);
    expect(await store.ok(['images', '-qa'])).toContain(ids[1]);
    expect(await store.ok(['build', '-q', '--target', '0', context], { env }).catch(() => 'failed')).toBe(
      'failed',
    );
    await store.ok(['system', 'check']);
  });

  it('lines of stages that run at the same time keep the order of the file', async () => {
    const context = store.context('stages', {
      Dockerfile: `FROM ${BASE_IMAGE} AS a
RUN sleep 1; echo slow
FROM ${BASE_IMAGE} AS b
RUN echo quick
FROM ${BASE_IMAGE}
COPY --from=a /etc/passwd /1
COPY --from=b /etc/passwd /2
`,
    });
    const out = await store.ok(['build', '--progress=classic', '--jobs=2', context]);
    expect(out.indexOf('slow')).toBeLessThan(out.indexOf('quick'));
    expect(out.match(/^Step .*/gm)?.map((line) => line.slice(0, 8))).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((number) => `Step ${number}/7`),
    );
  });

  it('and another thing on standard output exclude each other', async () => {
    const { stderr, exitCode } = await store.run(['build', '--progress=classic', '-o', '-', '.']);
    expect(stderr.split('\n')[0]).toBe(
      'ERROR: --progress=classic and an output cannot both go to standard output',
    );
    expect(exitCode).toBe(1);
  });
});
