import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type BuildEvent, build, parse, plan, SlipwayError } from '../../src/index.ts';
import { leftovers } from '../support/leftovers.ts';
import { BASE, libraryStore } from '../support/library-store.ts';
import { describeWith, root } from '../support/need.ts';

/** An event as one line: without times and digests, vertices by their names. */
function lines(events: readonly BuildEvent[]): string[] {
  const names = new Map<string, string>();
  return events.map((event) => {
    if (event.type === 'announced') names.set(event.vertex, event.name);
    const vertex = 'vertex' in event && event.vertex !== undefined ? names.get(event.vertex) : '-';
    const details = ((): string => {
      switch (event.type) {
        case 'announced':
          return `after ${event.inputs.map((input) => names.get(input)).join(', ') || 'nothing'}, line ${event.range?.start.line}`;
        case 'started':
          return '';
        case 'ended':
          return `${event.outcome}${event.error === undefined ? '' : `: ${event.error}`}`;
        case 'log':
          return `${event.stream}: ${JSON.stringify(Buffer.from(event.data).toString())}`;
        case 'status':
          return event.id.replace(/sha256:[0-9a-f]{64}/, '(digest)').replace(/\/.*\//, '(folder)/');
        case 'warning':
          return `${event.code}: ${event.message}, line ${event.range?.start.line}`;
        default:
          return '';
      }
    })();
    return `${vertex}: ${event.type} ${details}`.trim();
  });
}

const DOCKERFILE = `FROM ${BASE} AS made
RUN echo made > /made; echo out; echo err >&2
MAINTAINER someone
FROM scratch
COPY --from=made /made /
LABEL a=b
`;

describeWith({ needs: [root()] }, 'build as a library', () => {
  const store = libraryStore();

  it('tells everything that happens as events', async () => {
    const first = await store.build(DOCKERFILE, { tags: ['events'], jobs: 1 });
    expect(lines(first.events).filter((line) => !line.includes(': log '))).toMatchInlineSnapshot(`
      [
        "[made 1/2] FROM docker.io/library/base:latest: announced after nothing, line 1",
        "[made 2/2] RUN echo made > /made; echo out; echo err >&2: announced after [made 1/2] FROM docker.io/library/base:latest, line 2",
        "[stage-1 1/1] COPY --from=made /made /: announced after [made 2/2] RUN echo made > /made; echo out; echo err >&2, line 5",
        "-: warning MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label, line 3",
        "[made 1/2] FROM docker.io/library/base:latest: ended cached",
        "[made 2/2] RUN echo made > /made; echo out; echo err >&2: started",
        "[made 2/2] RUN echo made > /made; echo out; echo err >&2: ended done",
        "[stage-1 1/1] COPY --from=made /made /: started",
        "[stage-1 1/1] COPY --from=made /made /: ended done",
        "exporting to image: announced after nothing, line undefined",
        "exporting to image: started",
        "exporting to image: status writing image (digest)",
        "exporting to image: status naming to docker.io(folder)/events:latest",
        "exporting to image: status exporting to oci (folder)/image",
        "exporting to image: ended done",
      ]
    `);
    expect(
      lines(first.events)
        .filter((line) => line.includes(': log '))
        .sort(),
    ).toMatchInlineSnapshot(`
      [
        "[made 2/2] RUN echo made > /made; echo out; echo err >&2: log stderr: "err\\n"",
        "[made 2/2] RUN echo made > /made; echo out; echo err >&2: log stdout: "out\\n"",
      ]
    `);
    const times = first.events.flatMap((event) => ('time' in event ? [event.time] : []));
    expect(times.every((time) => Math.abs(time - Date.now()) < 3_600_000)).toBe(true);
    const again = await store.build(DOCKERFILE, { tags: ['events'], jobs: 1 });
    expect(lines(again.events).filter((line) => / (started|ended|log) ?/.test(line))).toMatchInlineSnapshot(`
      [
        "[made 1/2] FROM docker.io/library/base:latest: ended cached",
        "[made 2/2] RUN echo made > /made; echo out; echo err >&2: ended cached",
        "[stage-1 1/1] COPY --from=made /made /: ended cached",
        "exporting to image: started",
        "exporting to image: ended done",
      ]
    `);
  });

  it('gives what it made', async () => {
    const { imageId, tags, warnings, unusedBuildArgs, ran, reused, stages } = await store.build(
      DOCKERFILE.replace('made > /made', 'result > /made'),
      { tags: ['a', 'localhost:5000/b:v1'], buildArgs: { Z: '1', Y: '2', NO_PROXY: 'x' } },
    );
    expect(imageId).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect({ tags, unusedBuildArgs, ran, reused }).toEqual({
      tags: ['docker.io/library/a:latest', 'localhost:5000/b:v1'],
      unusedBuildArgs: ['Y', 'Z'],
      ran: 2,
      reused: 0,
    });
    expect(warnings.map(({ code, range }) => [code, range.start.line])).toEqual([
      ['MaintainerDeprecated', 3],
    ]);
    expect(stages.map(({ name }) => name)).toEqual(['made', 'stage-1']);
    expect(stages[1]?.size).toBe('result\n'.length);
  });

  it.each([
    ['FROM scratch\nRNU x\n', 'syntax'],
    ['FROM scratch AS a\nCOPY --from=b / /\n', 'not-found'],
    ['FROM no/such/image\n', 'not-found'],
    [`FROM ${BASE}\nCOPY missing /\n`, 'not-found'],
    [`FROM ${BASE}\nRUN --mount=type=nonsense true\n`, 'syntax'],
    [`FROM ${BASE}\nRUN exit 5\n`, 'step-failed'],
    [`FROM ${BASE}\nUSER nobody-knows\nRUN true\n`, 'invalid'],
    [`FROM ${BASE}\nRUN --security=insecure true\n`, 'denied'],
  ])('%j fails with its place', async (dockerfile, kind) => {
    const error = await store.build(dockerfile).catch((failed: unknown) => failed);
    expect(error).toBeInstanceOf(SlipwayError);
    const { location } = error as SlipwayError;
    expect(error).toMatchObject({ kind, location: { file: 'Dockerfile', text: dockerfile } });
    const wrong =
      dockerfile.split('\n').findIndex((line) => /RNU|--from=b|no\/such|missing|USER|RUN/.test(line)) + 1;
    expect(location?.range.start.line).toBe(wrong);
  });

  it.each([
    ['a context that is not there', { context: '/no/such/context' }, 'not-found'],
    ['a stage that is not there', { target: 'none' }, 'not-found'],
    ['a name that is none', { tags: ['UPPER'] }, 'syntax'],
    ['a secret that is not there', { secrets: { s: { file: '/no/such' } } }, 'not-found'],
  ])('%s is an error, and the sink is closed', async (_, options, kind) => {
    let closed = 0;
    const failed = build({
      context: store.empty(),
      dockerfile: 'FROM scratch\n',
      root: store.root,
      progress: {
        event: () => {},
        close: async () => {
          closed++;
        },
      },
      ...options,
    });
    await expect(failed).rejects.toMatchObject({ name: 'SlipwayError', kind });
    expect(closed).toBe(1);
  });

  it('ends when its signal aborts, keeps finished steps, and leaves nothing', async () => {
    const dockerfile = `FROM ${BASE}\nRUN echo kept > /kept\nRUN echo ready; while :; do sleep 0.05; done\n`;
    const controller = new AbortController();
    const outcomes: string[] = [];
    const failed = store.build(dockerfile, { signal: controller.signal }, (event) => {
      if (event.type === 'log') controller.abort();
      if (event.type === 'ended') outcomes.push(event.outcome);
    });
    await expect(failed).rejects.toMatchObject({ kind: 'canceled', code: 'CANCELED' });
    expect(outcomes).toEqual(['cached', 'done', 'canceled']);
    expect(leftovers(store.folder)).toEqual([]);
    const next = await store.build(dockerfile.split('\n').slice(0, 2).join('\n'));
    expect(next).toMatchObject({ ran: 0, reused: 1 });
  });

  it('does nothing when its signal has aborted before', async () => {
    const events: BuildEvent[] = [];
    const failed = store.build(
      `FROM ${BASE}\nRUN true # not run\n`,
      { signal: AbortSignal.abort() },
      (event) => events.push(event),
    );
    await expect(failed).rejects.toMatchObject({ kind: 'canceled' });
    expect(events.filter((event) => event.type === 'started')).toEqual([]);
  });

  it('builds twice at the same time in one process, each step once', async () => {
    const dockerfile = `FROM ${BASE}\nRUN cat /proc/sys/kernel/random/uuid > /mark\n`;
    const [a, b] = await Promise.all([store.build(dockerfile), store.build(dockerfile)]);
    expect(a.imageId).toBe(b.imageId);
    expect(a.ran + b.ran).toBe(1);
  });

  it('prints nothing, whatever happens', () => {
    const program = `
      const { build, parse, plan } = await import(process.argv[1]);
      const [root, context] = process.argv.slice(2);
      const options = { root, context, runtime: 'embedded' };
      await build({ ...options, dockerfile: ${JSON.stringify(DOCKERFILE)}, buildArgs: { UNUSED: '1' } });
      await build({ ...options, dockerfile: 'FROM ${BASE}\\nRUN echo out; echo err >&2; exit 3\\n' }).catch(() => {});
      await build({ ...options, dockerfile: 'nonsense' }).catch(() => {});
      await plan('nonsense').catch(() => {});
      parse('nonsense');
    `;
    const library = join(import.meta.dirname, '../../src/index.ts');
    const args = ['--input-type=module', '-e', program, library, store.root, store.empty()];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 0 });
  });
});

it('parse and plan need no store and no kernel', async () => {
  const { dockerfile, errors } = parse('FROM a AS b\nRNU x\nCOPY --from=b c d\n');
  expect(dockerfile.instructions.map(({ keyword }) => keyword)).toEqual(['FROM', 'COPY']);
  expect(errors).toMatchObject([{ line: 2 }]);
  const planned = await plan('FROM a AS b\nRUN x\nFROM b\nCOPY --from=b /c /d\n');
  expect(JSON.parse(JSON.stringify(planned))).toEqual(planned);
  expect(planned.nodes.map(({ label, title }) => `${label} ${title}`)).toMatchInlineSnapshot(`
    [
      "[b 1/2] FROM docker.io/library/a:latest",
      "[b 2/2] RUN x",
      "[stage-1 1/1] COPY --from=b /c /d",
    ]
  `);
});
