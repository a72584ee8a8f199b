import { expect, it } from 'vitest';
import type { BuildEvent } from '../../../src/index.ts';
import { leftovers } from '../../support/leftovers.ts';
import { BASE, libraryStore, logOf } from '../../support/library-store.ts';
import { describeWith, root } from '../../support/need.ts';

describeWith({ needs: [root()] }, 'how a RUN ends', () => {
  const store = libraryStore();

  const failure = async (...lines: string[]): Promise<Record<string, unknown>> => {
    const error = await store.build(`FROM ${BASE}\n${lines.join('\n')}\n`).then(
      () => ({ message: 'it succeeded' }),
      (failed: Record<string, unknown>) => failed,
    );
    const { kind, code, message, exitCode, hint } = error as Record<string, unknown>;
    return { kind, code, message, exitCode, hint };
  };

  it.each([
    ['exit 1', 1],
    ['exit 42', 42],
    ['exit 255', 255],
    ['no-such-program', 127],
    ['/etc/passwd', 126],
    ["sh -c 'kill -9 $$'; exit $?", 137],
    ["sh -c 'kill -SEGV $$'; exit $?", 139],
    ["sh -c 'kill -TERM $$'; exit $?", 143],
  ])('%s gives %d', async (command, exitCode) => {
    expect(await failure(`RUN ${command}`)).toMatchObject({
      kind: 'step-failed',
      message: `process "/bin/sh -c ${command}" did not complete successfully: exit code: ${exitCode}`,
      exitCode,
    });
  });

  it('a first process that a signal ends gives 128 and its number', async () => {
    // As process 1 it only dies of what the kernel itself sends it.
    expect(await failure('RUN ["/bin/sh", "-c", "ulimit -t 1; while :; do :; done"]')).toMatchObject({
      kind: 'step-failed',
      exitCode: 137,
      hint: expect.stringContaining('SIGKILL'),
    });
  });

  it.each([
    ['a program that is not there', ['RUN ["no-such-program", "a"]']],
    ['a path that is not there', ['RUN ["/no/such/program"]']],
    ['a file that is not executable', ['RUN ["/etc/passwd"]']],
    ['a directory', ['RUN ["/etc"]']],
    ['a wrong format', ["RUN printf '\\001\\002\\003' > /bad && chmod +x /bad", 'RUN ["/bad"]']],
    [
      'an interpreter that is not there',
      ["RUN printf '#!/no/such\\n' > /bad && chmod +x /bad", 'RUN ["/bad"]'],
    ],
    ['a shell that is not there', ['SHELL ["/no/shell", "-c"]', 'RUN true']],
    ['a user that is not there', ['USER nobody-knows', 'RUN true']],
    ['a group that is not there', ['USER 0:nobody-knows', 'RUN true']],
    [
      'a working directory that is a file',
      ['WORKDIR /etc', 'RUN rm -rf /x && echo > /x', 'WORKDIR /x', 'RUN true'],
    ],
  ])('%s is an error of its own', async (name, lines) => {
    expect(await failure(...lines)).toMatchSnapshot(name);
  });

  it('shows where it failed and keeps what was printed before', async () => {
    const events: BuildEvent[] = [];
    const error = await store
      .build(`FROM ${BASE}\n\nRUN echo out; echo err >&2; \\\n  exit 7\nRUN never\n`, {}, (event) =>
        events.push(event),
      )
      .catch((failed: unknown) => failed);
    expect(error).toMatchObject({
      exitCode: 7,
      location: { range: { start: { line: 3 }, end: { line: 4 } } },
    });
    expect(logOf(events, 'echo out').split('\n').sort()).toEqual(['', 'err', 'out']);
    const ended = events.filter((event) => event.type === 'ended').map((event) => event.outcome);
    expect(ended.filter((outcome) => outcome === 'failed')).toHaveLength(1);
    expect(events.some((event) => event.type === 'started' && logOf(events, 'never') !== '')).toBe(false);
  });

  it('leaves no process and no mount, whatever happens', async () => {
    await failure('RUN sleep 1000 & exit 3');
    expect(leftovers(store.folder)).toEqual([]);
  });
});

describeWith({ needs: [root()] }, 'output of a RUN', () => {
  const store = libraryStore();

  it('comes whole and in order, whatever its bytes', async () => {
    const built = await store.build(`FROM ${BASE}
RUN printf 'a\\0b\\377\\r\\033[31m'; printf '\\nno end of line' >&2
RUN i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done
`);
    expect(built.log("RUN printf 'a")).toContain('no end of line');
    const lines = built.log('line $i').trimEnd().split('\n');
    expect(lines).toEqual(Array.from({ length: 5000 }, (_, i) => `line ${i}`));
  });

  it('of 400 MB passes through bounded memory', async () => {
    const { build } = await import('../../../src/index.ts');
    let seen = 0;
    let peak = 0;
    // Only counted here: what is kept would be the test's memory.
    const write = (megabytes: number) =>
      build({
        context: store.empty(),
        dockerfile: `FROM ${BASE}\nRUN dd if=/dev/zero bs=1M count=${megabytes} 2>/dev/null\n`,
        root: store.root,
        runtime: 'embedded',
        progress: {
          event(event) {
            if (event.type !== 'log') return;
            seen += event.data.length;
            peak = Math.max(peak, process.memoryUsage.rss());
          },
          close: async () => {},
        },
      });
    // What a build loads and V8 compiles is no memory of the output.
    await write(20);
    const before = process.memoryUsage.rss();
    peak = 0;
    await write(400);
    expect(seen).toBe(420 * 1024 * 1024);
    // V8 collects what lies outside its heap when some tens of megabytes have come together.
    expect(peak - before).toBeLessThan(100 * 1024 * 1024);
  });

  it('is not waited for when a process that is left over holds it', async () => {
    const built = await store.build(`FROM ${BASE}\nRUN (sleep 1000 &); echo done\n`);
    expect(built.log('done')).toBe('done\n');
  });
});

describeWith({ needs: [root()] }, 'steps of stages that do not depend on each other', () => {
  const store = libraryStore();

  /** Both stages wait for the other one through a shared cache; alone each gives up. */
  const dockerfile = (id: string, patience: number): string => {
    const stage = (name: string): string => `FROM ${BASE} AS ${name}
RUN --mount=type=cache,target=/meet,id=${id} touch /meet/${name}; n=0; \\
  until [ -e /meet/left -a -e /meet/right ] || [ $n -ge ${patience} ]; do sleep 0.02; n=$((n+1)); done; ls /meet | xargs echo > /seen
`;
    return `${stage('left')}${stage('right')}FROM scratch
COPY --from=left /seen /left
COPY --from=right /seen /right
`;
  };

  it('run at the same time', async () => {
    const built = await store.build(dockerfile('two', 1000), { jobs: 2 });
    expect([built.file(-2, 'left'), built.file(-1, 'right')]).toEqual(['left right\n', 'left right\n']);
  });

  it('run one after the other with one job', async () => {
    const built = await store.build(dockerfile('one', 5), { jobs: 1 });
    expect([built.file(-2, 'left'), built.file(-1, 'right')]).toEqual(['left\n', 'left right\n']);
  });
});
