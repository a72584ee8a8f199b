import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { clockLibrary } from '../../tools/test/faketime.ts';
import { suiteFolder } from '../support/folders.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, type Need, root } from '../support/need.ts';
import { type CommandOptions, resultOf, startCommand, succeed } from './command.ts';
import { BASE } from './scenarios.ts';

const clock: Need = () =>
  clockLibrary() === undefined ? 'needs libfaketime (Debian package libfaketime)' : undefined;

const DOCKERFILE = `FROM ${BASE} AS first
RUN echo first > /first; echo waiting; sleep 0.5
FROM ${BASE}
COPY a b /files/
RUN cat /files/a /files/b > /both; echo waiting; sleep 0.5
COPY --from=first /first /
`;

/** What every step of a second build says. */
const CACHED = 5;

describeWith({ needs: [root(), clock] }, 'a clock that jumps', () => {
  const folder = suiteFolder('big');
  let context: string;
  let setting: string;
  let options: CommandOptions;

  beforeAll(async () => {
    context = join(folder.path, 'context');
    setting = join(folder.path, 'clock');
    mkdirSync(context);
    writeFileSync(join(context, 'a'), 'a\n');
    writeFileSync(join(context, 'b'), 'b\n');
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    set('+0d');
    options = {
      root: join(folder.path, 'store'),
      env: {
        LD_PRELOAD: clockLibrary(),
        FAKETIME_TIMESTAMP_FILE: setting,
        FAKETIME_NO_CACHE: '1',
        // Timers and time-outs go on as they do when a clock is set.
        DONT_FAKE_MONOTONIC: '1',
        NO_FAKE_STAT: '1',
        SOURCE_DATE_EPOCH: undefined,
      },
    };
    await succeed(['import', '-', BASE], { ...options, input: (await makeBaseRootfs()).tar });
  });

  function set(offset: string): void {
    writeFileSync(setting, `${offset}\n`);
  }

  /** Builds, and sets the clock as soon as a step says that it waits. */
  async function build(offset?: string): Promise<string> {
    const child = startCommand(['build', '--progress=plain', '-t', 'test/clock', context], options);
    child.stdin?.end();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (offset !== undefined && text.includes('waiting')) set(offset);
    });
    const { exitCode, stdout, stderr } = await resultOf(child);
    expect(exitCode, stdout + stderr).toBe(0);
    return stderr;
  }

  const cachedSteps = (output: string): number =>
    output.split('\n').filter((line) => / CACHED$/.test(line)).length;
  const both = (): Promise<string> =>
    succeed(['run', '--rm', 'test/clock', 'cat', '/both', '/first'], options);

  it.each(['-400d', '+3000d'])('by %s while a build runs', async (offset) => {
    set('+0d');
    await succeed(['system', 'check'], options);
    writeFileSync(join(context, 'a'), `a before ${offset}\n`);
    await build(offset);
    expect(await both()).toBe(`a before ${offset}\nb\nfirst\n`);
    expect(await succeed(['system', 'check'], options)).toBe('The store is whole.\n');
    expect(leftovers(options.root)).toEqual([]);
  });

  it.each(['-400d', '+0d', '+3000d', '-10000d'])(
    'cached steps are found at %s, and changes too',
    async (offset) => {
      set(offset);
      expect(cachedSteps(await build())).toBeGreaterThanOrEqual(CACHED);
      // The same size, so that only time and inode say that it is another file.
      writeFileSync(
        join(context, 'b'),
        `${'bcdefg'[Math.floor(Math.abs(Number.parseInt(offset, 10)) / 1000) % 6]}\n`,
      );
      writeFileSync(join(context, 'a'), `a at ${offset}\n`);
      await build();
      expect(await both()).toContain(`a at ${offset}\n`);
      expect(cachedSteps(await build())).toBeGreaterThanOrEqual(CACHED);
      expect(await succeed(['system', 'check'], options)).toBe('The store is whole.\n');
    },
  );
});
