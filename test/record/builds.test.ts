import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { BuildRecord } from '../../src/record/build-record.ts';
import { ended, startSlipway } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const LONG = 3_000_000;

const DOCKERFILE = `FROM ${BASE_IMAGE} AS made
RUN echo out; echo err >&2; sleep 0.3; head -c ${LONG} /dev/zero | tr '\\0' x; echo; echo end
FROM ${BASE_IMAGE}
COPY --from=made /etc/passwd /copied
COPY a /a
RUN cat /a
`;

/** Times, ids and digests made equal. */
function plain(text: string, ...ids: string[]): string {
  return ids
    .reduce((all, id, index) => all.replaceAll(id, `<build-id-${index}>`.padEnd(12)), text)
    .replace(/sha256:[0-9a-f]{64}/g, '<digest>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/[+-]?\b\d+\.\ds\b/g, (time) => '_'.repeat(time.length).slice(0, 4).concat('s'))
    .replace(/(?:\d+ (?:seconds?|minutes?) ago|Less than a second ago|About a minute ago) */g, '<ago>   ')
    .replace(/(CREATED|DURATION) +/g, '$1   ')
    .replace(/____s +(?=\d)/g, '____s   ');
}

describe('records of builds', () => {
  const store = suiteStore();
  let context: string;
  let first: string;
  let second: string;

  async function records(...flags: string[]): Promise<BuildRecord[]> {
    const lines = (await store.ok(['builds', 'ls', '--format=json', ...flags])).trim().split('\n');
    return lines.filter(Boolean).map((line) => JSON.parse(line) as BuildRecord);
  }

  async function show(id: string): Promise<BuildRecord> {
    return JSON.parse(await store.ok(['builds', 'show', '--format=json', id])) as BuildRecord;
  }

  /** Starts a build of a RUN that waits, and resolves when it is at it. */
  async function waitingBuild(tag: string) {
    const file = join(context, `${tag}.Dockerfile`);
    writeFileSync(file, `FROM ${BASE_IMAGE}\nRUN echo ${tag} began\nRUN echo "${tag} is up"; sleep 100\n`);
    const args = ['build', '--progress=plain', '-t', `test/${tag}`, '-f', file, context];
    const child = startSlipway(args, { root: store.root });
    const done = ended(child);
    let text = '';
    await new Promise<void>((resolve) => {
      child.stderr!.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (new RegExp(`\\d ${tag} is up`).test(text)) resolve();
      });
    });
    return { child, done };
  }

  beforeAll(async () => {
    context = store.context('context', { Dockerfile: DOCKERFILE, a: 'one\n' });
    await store.ok(['build', '-q', '-t', 'test/records', context]);
    writeFileSync(join(context, 'a'), 'two\n');
    await store.ok(['build', '-q', '-t', 'test/records', context]);
    [second = '', first = ''] = (await store.ok(['builds', 'ls', '-q'])).trim().split('\n');
  });

  it('are listed, and say what each step came to', async () => {
    expect(plain(await store.ok(['builds', 'ls']), first, second)).toMatchInlineSnapshot(`
      "BUILD ID       NAME                            STATUS    CREATED   DURATION   STEPS
      <build-id-1>   docker.io/test/records:latest   done      <ago>   ____s   2 ran, 2 cached
      <build-id-0>   docker.io/test/records:latest   done      <ago>   ____s   4 ran, 0 cached
      "
    `);
    const shown = await store.ok(['builds', 'show', first]);
    expect(plain(shown, first).replaceAll(context, '<context>')).toMatchInlineSnapshot(`
      "Build:      <build-id-0>
      Status:     done
      Dockerfile: <context>/Dockerfile
      Context:    <context>
      Platform:   linux/amd64
      Tags:       docker.io/test/records:latest
      Image:      <digest>
      Started:    <time>
      Duration:   ____s
      Steps:      4 ran, 0 cached, 150B

      RESULT    TIME      SIZE      LOG       STEP
      cached    -         -         -         [made 1/2] FROM docker.io/test/base:latest
      done      ____s   0B        3MB       [made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end
      cached    -         -         -         [stage-1 1/4] FROM docker.io/test/base:latest
      done      ____s   146B      -         [stage-1 2/4] COPY --from=made /etc/passwd /copied
      done      ____s   4B        -         [stage-1 3/4] COPY a /a
      done      ____s   0B        4B        [stage-1 4/4] RUN cat /a
      "
    `);
    const { steps, state, imageId } = await show('^0');
    expect({ state, imageId }).toEqual({ state: 'done', imageId: expect.stringMatching(/^sha256:/) });
    expect(steps.map(({ outcome, from }) => [outcome, from === first])).toEqual([
      ['cached', false],
      ['cached', true],
      ['cached', false],
      ['cached', true],
      ['done', false],
      ['done', false],
    ]);
  });

  it('have the whole output of each step, of cached ones that of the run that made them', async () => {
    const raw = await store.ok(['builds', 'logs', '--raw', '--step=RUN echo out', second]);
    expect(raw.length).toBe('out\nerr\n'.length + LONG + '\nend\n'.length);
    // Both streams of a process are read on their own: which of two lines came first may not be known.
    expect(raw.replace('err\n', '').slice(-6)).toBe('x\nend\n');
    const logs = await store.ok(['builds', 'logs']);
    expect(logs).toMatch(/^#2 \d+\.\d+ err$/m);
    const rest = logs.replace(/^#2 .* err\n/m, '').replace(/x{100,}/g, 'xxx');
    expect(rest.replace(/ \d+\.\d+ /g, ' 0.000 ')).toMatchInlineSnapshot(`
      "#2 [made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end (cached)
      #2 0.000 out
      #2 0.000 xxx
      #2 0.000 end
      #6 [stage-1 4/4] RUN cat /a (done)
      #6 0.000 two
      "
    `);
    expect(await store.ok(['builds', 'logs', '--step=6', first])).toMatch(/^#6 .*\n#6 \d+\.\d+ one\n$/);
    const none = await store.run(['builds', 'logs', '--step=nonsense']);
    expect(none).toMatchObject({ exitCode: 1, stdout: '' });
  });

  it('can be compared', async () => {
    expect(plain(await store.ok(['builds', 'compare', '^1', '^0']), first, second)).toMatchInlineSnapshot(`
      "<build-id-0>   <build-id-1>   CHANGE    STEP
      cached         cached                   [made 1/2] FROM docker.io/test/base:latest
      ____s           cached                   [made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end
      cached         cached                   [stage-1 1/4] FROM docker.io/test/base:latest
      ____s           cached                   [stage-1 2/4] COPY --from=made /etc/passwd /copied
      ____s           ____s           ____s     [stage-1 3/4] COPY a /a
      ____s           ____s           ____s     [stage-1 4/4] RUN cat /a
      ____s           ____s           ____s     all

      Size of the layers: 150B -> 150B

      [stage-1 3/4] COPY a /a
        file a changed (content)

      [stage-1 4/4] RUN cat /a
        upstream step [stage-1 3/4] COPY a /a has another result
      "
    `);
    const { after, steps } = JSON.parse(
      await store.ok(['builds', 'compare', '--format=json', first, second]),
    ) as { after: object; steps: { causes: object[] }[] };
    expect(after).toMatchObject({ build: second, state: 'done', ran: 2, cached: 2 });
    expect(steps.flatMap(({ causes }) => causes)).toMatchObject([
      { kind: 'file', path: 'a', change: 'changed', what: ['content'] },
      { kind: 'upstream' },
    ]);
  });

  it('give a drawing its results and times', async () => {
    expect(await store.ok(['graph', '--format=mermaid', context])).toMatch(
      /RUN cat \/a<br\/>\d+\.\ds"\]\n.* ==> /s,
    );
    expect(await store.ok(['graph', '--measured=false', context])).not.toMatch(/\d\.\ds/);
    const file = join(context, 'graph.svg');
    await store.ok(['graph', '--format=svg', '-o', file, context]);
    expect(readFileSync(file, 'utf8')).toContain('longest path');
  });

  it('go out as Chrome trace events', async () => {
    const { traceEvents } = JSON.parse(await store.ok(['builds', 'export', first])) as {
      traceEvents: { name: string; ph: string; cat?: string; ts?: number; dur?: number }[];
    };
    const complete = traceEvents.filter(({ ph }) => ph === 'X');
    expect(complete.every(({ ts, dur }) => Number.isSafeInteger(ts) && dur! >= 0)).toBe(true);
    // Layers are digested beside each other: which begins first is not certain.
    const digests = complete.filter(({ cat }) => cat === 'digest').sort((a, b) => (a.name < b.name ? -1 : 1));
    const others = complete.filter(({ cat }) => cat !== 'digest');
    const named = [...others, ...digests].map(({ cat, name }) => plain(`${cat}: ${name}`, first));
    expect(named).toMatchInlineSnapshot(`
      [
        "task: build <build-id-0>",
        "task: exporting to image",
        "step: [made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end",
        "step: [stage-1 2/4] COPY --from=made /etc/passwd /copied",
        "step: [stage-1 3/4] COPY a /a",
        "step: [stage-1 4/4] RUN cat /a",
        "digest: digest of [made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end",
        "digest: digest of [stage-1 2/4] COPY --from=made /etc/passwd /copied",
        "digest: digest of [stage-1 3/4] COPY a /a",
        "digest: digest of [stage-1 4/4] RUN cat /a",
      ]
    `);
  });

  // What is held up on a busy machine is started again; a step that waited for the digest would never pass.
  it('show that the next step runs while a layer is digested', { retry: 3 }, async () => {
    const file = join(context, 'large.Dockerfile');
    const large = 'RUN head -c 150000000 /dev/zero > /large';
    writeFileSync(file, `FROM ${BASE_IMAGE}\n${large}\nRUN true\n`);
    await store.ok(['build', '-q', '--no-cache', '-f', file, context]);
    const { traceEvents } = JSON.parse(await store.ok(['builds', 'export'])) as {
      traceEvents: { name: string; cat?: string; ts: number; dur: number }[];
    };
    const find = (cat: string, name: string) =>
      traceEvents.find((event) => event.cat === cat && event.name.includes(name))!;
    const digest = find('digest', large);
    const next = find('step', 'RUN true');
    expect(digest.ts).toBeLessThanOrEqual(next.ts);
    expect(next.ts).toBeLessThan(digest.ts + digest.dur);
  });

  it('go out as OpenTelemetry spans', async () => {
    const file = join(context, 'spans.json');
    await store.ok(['builds', 'export', '--type=otel', '-o', file, first]);
    interface OtelSpan {
      name: string;
      traceId: string;
      spanId: string;
      parentSpanId?: string;
      startTimeUnixNano: string;
      endTimeUnixNano: string;
    }
    const document = JSON.parse(readFileSync(file, 'utf8')) as {
      resourceSpans: { scopeSpans: { spans: OtelSpan[] }[] }[];
    };
    const spans = document.resourceSpans[0]!.scopeSpans[0]!.spans;
    const ids = new Map(spans.map(({ spanId, name }) => [spanId, name]));
    expect(ids.size).toBe(spans.length);
    for (const { traceId, spanId, startTimeUnixNano, endTimeUnixNano } of spans) {
      expect(traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(spanId).toMatch(/^[0-9a-f]{16}$/);
      expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
    }
    expect(
      spans.map(({ name, parentSpanId }) => [name, ids.get(parentSpanId ?? '') ?? '-']),
    ).toMatchInlineSnapshot(`
      [
        [
          "slipway build",
          "-",
        ],
        [
          "[made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end",
          "slipway build",
        ],
        [
          "digest of [made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end",
          "[made 2/2] RUN echo out; echo err >&2; sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end",
        ],
        [
          "[stage-1 2/4] COPY --from=made /etc/passwd /copied",
          "slipway build",
        ],
        [
          "digest of [stage-1 2/4] COPY --from=made /etc/passwd /copied",
          "[stage-1 2/4] COPY --from=made /etc/passwd /copied",
        ],
        [
          "[stage-1 3/4] COPY a /a",
          "slipway build",
        ],
        [
          "digest of [stage-1 3/4] COPY a /a",
          "[stage-1 3/4] COPY a /a",
        ],
        [
          "[stage-1 4/4] RUN cat /a",
          "slipway build",
        ],
        [
          "digest of [stage-1 4/4] RUN cat /a",
          "[stage-1 4/4] RUN cat /a",
        ],
        [
          "exporting to image",
          "slipway build",
        ],
      ]
    `);
  });

  it('are left by builds that fail', async () => {
    const file = join(context, 'failing.Dockerfile');
    writeFileSync(
      file,
      `FROM ${BASE_IMAGE}\nRUN echo before\nRUN echo "last words"; exit 3\nRUN echo never\n`,
    );
    const failed = await store.run(['build', '--explain', '-f', file, context]);
    expect(failed.exitCode).not.toBe(0);
    expect(failed.stderr).toMatch(
      /RUN echo "last words"; exit 3: failed\n {2}no earlier build has this step\n/,
    );
    const [record] = await records('--filter=status=failed');
    expect(record?.error?.message).toContain('exit code: 3');
    const { steps } = await show(record!.id);
    expect(steps.map(({ outcome }) => outcome)).toEqual(['cached', 'done', 'failed', undefined]);
    expect(await store.ok(['builds', 'logs', '--step=3', record!.id])).toContain('last words');
    const wrong = await store.run(['build', '-f', '/dev/null', context]);
    expect(wrong.exitCode).not.toBe(0);
    expect((await records('-f', 'status=failed'))[0]!.error?.message).toContain('not a regular file');
  });

  it('are left by builds that are canceled', async () => {
    const { child, done } = await waitingBuild('canceled');
    expect((await records('--filter=status=running')).map(({ tags }) => tags)).toEqual([
      ['docker.io/test/canceled:latest'],
    ]);
    child.kill('SIGINT');
    await done;
    const [record] = await records('--filter=status=canceled');
    expect((await show(record!.id)).steps.map(({ outcome }) => outcome)).toEqual([
      'cached',
      'done',
      'canceled',
    ]);
  });

  it('are left by builds that are killed, as far as they came, and by others at the same time', async () => {
    const [killed, other] = await Promise.all([waitingBuild('killed'), waitingBuild('other')]);
    killed.child.kill('SIGKILL');
    await killed.done;
    const [record] = await records('--filter=status=interrupted');
    expect(record?.tags).toEqual(['docker.io/test/killed:latest']);
    expect((await show(record!.id)).steps.map(({ outcome }) => outcome)).toEqual([
      'cached',
      'done',
      undefined,
    ]);
    expect(await store.ok(['builds', 'logs', '--step=3', record!.id])).toContain('killed is up');
    const refused = await store.run(['builds', 'rm', (await records('--filter=status=running'))[0]!.id]);
    expect(refused.stderr).toContain('is still running');
    other.child.kill('SIGINT');
    await other.done;
    const explained = await store.ok(['explain', record!.id]);
    expect(explained).toContain('no earlier build has this step');
    expect(await store.ok(['system', 'check'])).toContain('The store is whole');
  });

  it('go when they are removed, with the logs that cached steps showed', async () => {
    expect(await store.ok(['builds', 'rm', first])).toBe(`${first}\n`);
    const logs = await store.run(['builds', 'logs', second]);
    expect(logs.stdout).not.toContain('xxx');
    expect(logs.stderr).toContain('the build that ran it is no longer recorded');
    const gone = await store.run(['builds', 'show', first]);
    expect(gone).toMatchObject({ exitCode: 1 });
    expect(gone.stderr).toContain(`no such build: ${first}`);
    await store.ok(['builds', 'rm', '--all']);
    expect(await store.ok(['builds', 'ls', '-q'])).toBe('');
    expect((await store.run(['explain'])).stderr).toContain('there is no build yet');
  });
});
