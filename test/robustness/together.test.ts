import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OrdinaryUser, ordinaryUser, ownFolder } from '../rootless/ordinary-user.ts';
import { suiteFolder } from '../support/folders.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { type CommandResult, command, resultOf, startCommand, succeed } from './command.ts';
import { BASE, type Ground, makeGround } from './scenarios.ts';

/** Builds at once. */
const MANY = 10;

describe('builds on one store at the same time', () => {
  const folder = suiteFolder('big');
  buildTogether(() => ({ folder: folder.path }));
});

const users = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];

describeWith({ needs: users }, 'builds of an ordinary user on one store at the same time', () => {
  const user = ordinaryUser(['24000000:65536']);
  buildTogether(() => ({ folder: ownFolder(user, 'together'), user }));
});

function buildTogether(place: () => { folder: string; user?: OrdinaryUser }): void {
  let folder: string;
  let ground: Ground;
  beforeAll(async () => {
    const { user, ...rest } = place();
    ({ folder } = rest);
    ground = await makeGround(folder, { user });
  });
  afterAll(() => ground?.store.close());

  function context(name: string, dockerfile: string): string {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'Dockerfile'), dockerfile);
    return path;
  }

  const build = (path: string, tag: string, ...flags: string[]): Promise<CommandResult> =>
    command(['build', '--progress=plain', ...flags, '-t', tag, path], ground.options);

  const ran = (results: CommandResult[], step: number): number =>
    results.filter(({ stderr }) => {
      const number = new RegExp(`^#(\\d+) \\[(?:\\S+ )?${step}/`, 'm').exec(stderr)?.[1];
      return new RegExp(`^#${number} DONE`, 'm').test(stderr);
    }).length;

  const all = <T>(body: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: MANY }, (_, index) => body(index)));

  async function expectWhole(): Promise<void> {
    expect(leftovers(folder)).toEqual([]);
    expect(await succeed(['system', 'check'], ground.options)).toMatch(/^The store is whole/m);
    expect(await succeed(['system', 'check'], ground.options)).toBe('The store is whole.\n');
  }

  it(`run each step of the same Dockerfile once in ${MANY} builds`, async () => {
    const path = context(
      'same',
      `FROM ${BASE}\nRUN sleep 0.3; echo 1 > /1\nRUN sleep 0.1; echo 2 > /2\nWORKDIR /w\n`,
    );
    const results = await all((index) => build(path, `test/same:${index}`));
    expect(results.map(({ exitCode, stderr }) => (exitCode === 0 ? '' : stderr)).join('')).toBe('');
    expect([2, 3, 4].map((step) => ran(results, step))).toEqual([1, 1, 1]);
    const ids = await succeed(['images', '-q', '--no-trunc', 'test/same'], ground.options);
    expect(new Set(ids.trim().split('\n')).size).toBe(1);
    await expectWhole();
  });

  it(`do not disturb each other in ${MANY} builds of different Dockerfiles`, async () => {
    const results = await all((index) =>
      build(
        context(
          `other${index}`,
          `FROM ${BASE}\nRUN echo common > /c\nRUN echo ${index} > /own && sleep 0.1\n`,
        ),
        `test/other:${index}`,
      ),
    );
    expect(results.map(({ exitCode, stderr }) => (exitCode === 0 ? '' : stderr)).join('')).toBe('');
    expect([2, 3].map((step) => ran(results, step))).toEqual([1, MANY]);
    const outputs = await all((index) =>
      succeed(['run', '--rm', `test/other:${index}`, 'cat', '/own'], ground.options),
    );
    expect(outputs).toEqual(Array.from({ length: MANY }, (_, index) => `${index}\n`));
    await expectWhole();
  });

  it('go on while images are loaded, saved, removed and the store is checked', async () => {
    const [load, save] = ['load', 'save'].map((name) => ground.scenarios.find((each) => each.name === name)!);
    const results = await Promise.all([
      ...Array.from({ length: 4 }, (_, index) =>
        build(
          context(`busy${index}`, `FROM ${BASE}\nRUN echo busy > /b; sleep 0.2\nRUN echo ${index} > /own\n`),
          `test/busy:${index}`,
        ),
      ),
      ...[0, 1].map(() => command(['system', 'check'], ground.options)),
      command(load!.args, ground.options),
      command(save!.args, ground.options),
      command(['rmi', ...Array.from({ length: MANY }, (_, index) => `test/other:${index}`)], ground.options),
      command(
        ['rmi', '-f', ...Array.from({ length: MANY }, (_, index) => `test/same:${index}`)],
        ground.options,
      ),
    ]);
    expect(
      results.map(({ exitCode, stderr, stdout }) => (exitCode === 0 ? '' : stderr + stdout)).join(''),
    ).toBe('');
    expect(load!.visible()).toBeDefined();
    await expectWhole();
    for (const index of [0, 1, 2, 3]) {
      expect(await succeed(['run', '--rm', `test/busy:${index}`, 'cat', '/b', '/own'], ground.options)).toBe(
        `busy\n${index}\n`,
      );
    }
  });

  it('take over the step of a build that was killed', async () => {
    const path = context(
      'taken',
      `FROM ${BASE}\nRUN --mount=type=cache,target=/c echo x >> /c/runs; echo begun; [ $(wc -l < /c/runs) = 2 ] || sleep 600; cat /c/runs > /runs\n`,
    );
    const first = startCommand(['build', '--progress=plain', '-t', 'test/first', path], ground.options);
    const gone = resultOf(first);
    let begun = '';
    first.stderr!.on('data', (text: string) => {
      begun += text;
    });
    await expect.poll(() => begun, { timeout: 20_000, interval: 10 }).toMatch(/^#\d+ [\d.]+ begun$/m);
    const second = build(path, 'test/second');
    const third = build(path, 'test/third');
    // They wait: only one holds the claim, whoever that is.
    await expect
      .poll(() => ground.store.database.get('SELECT count(*) AS leases FROM leases'), {
        timeout: 20_000,
        interval: 10,
      })
      .toEqual({ leases: 3 });
    process.kill(first.pid!, 'SIGKILL');
    await gone;
    const results = await Promise.all([second, third]);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(ran(results, 2)).toBe(1);
    expect(await succeed(['run', '--rm', 'test/third', 'cat', '/runs'], ground.options)).toBe('x\nx\n');
    await expectWhole();
  });

  it('see a failed step once each', async () => {
    const path = context('failing', `FROM ${BASE}\nRUN sleep 0.2; exit 7\n`);
    const results = await all(() => build(path, 'test/failing'));
    expect(results.map(({ exitCode }) => exitCode)).toEqual(Array.from({ length: MANY }, () => 1));
    expect(results.filter(({ stderr }) => !stderr.includes('exit code: 7'))).toEqual([]);
    await expectWhole();
  });
}
