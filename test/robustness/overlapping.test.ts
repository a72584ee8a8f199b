import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it, onTestFailed } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { suiteFolder } from '../support/folders.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, root } from '../support/need.ts';
import { type CommandResult, command, resultOf, startCommand, succeed } from './command.ts';
import { randomOf, testSeed } from './random.ts';
import { BASE } from './scenarios.ts';

const BUILDS = 16;
const KILLS = 6;
const seed = testSeed();

/**
 * A step that says in a cache mount who runs it. The name of the build comes in by a proxy argument, which a RUN sees
 * and no key holds.
 */
const step = (name: string): string =>
  `RUN --mount=type=cache,id=runs,target=/runs echo "${name} $no_proxy" >> /runs/log && sleep 0.1 && echo ${name} > /${name}`;

/** Dockerfiles that have steps in common, in chains, in stages and across both. */
const DOCKERFILES = [
  [`FROM ${BASE}`, step('a'), step('b'), step('c'), step('d')],
  [`FROM ${BASE}`, step('a'), step('b'), step('x'), step('e')],
  [
    `FROM ${BASE} AS one`,
    step('a'),
    step('b'),
    `FROM ${BASE}`,
    step('p'),
    'COPY --from=one /a /b /from/',
    step('q'),
  ],
  [
    `FROM ${BASE} AS one`,
    step('a'),
    step('b'),
    `FROM ${BASE} AS two`,
    step('p'),
    'FROM scratch',
    'COPY --from=one /b /',
    'COPY --from=two /p /',
  ],
].map((lines) => `${lines.join('\n')}\n`);

describeWith(
  { needs: [root()] },
  `${BUILDS} builds with steps in common, ${KILLS} of them killed (SLIPWAY_TEST_SEED=${seed})`,
  () => {
    const folder = suiteFolder('big');
    const together = () => ({ root: join(folder.path, 'together') });
    const alone = () => ({ root: join(folder.path, 'alone') });
    beforeAll(async () => {
      const { tar } = await makeBaseRootfs();
      for (const options of [together(), alone()])
        await succeed(['import', '-', BASE], { ...options, input: tar });
      DOCKERFILES.forEach((text, index) => {
        mkdirSync(join(folder.path, `context${index}`));
        writeFileSync(join(folder.path, `context${index}`, 'Dockerfile'), text);
      });
    });

    const words = (variant: number, name: string): string[] => [
      ...['build', '-q', '--jobs=2', '--build-arg', `no_proxy=${name}`],
      join(folder.path, `context${variant}`),
    ];

    it('give what each gives alone; a step runs once, and once more for every owner that was killed', async () => {
      onTestFailed(() => {
        process.stderr.write(`SLIPWAY_TEST_SEED=${seed}\n`);
      });
      const random = randomOf(seed);
      const expected: string[] = [];
      for (const variant of DOCKERFILES.keys())
        expected.push(await succeed(words(variant, 'alone'), alone()));
      const killed = new Set<string>();
      const victims = new Set(Array.from({ length: KILLS }, () => Math.floor(random() * BUILDS)));
      const results = await Promise.all(
        Array.from({ length: BUILDS }, async (_, index): Promise<CommandResult> => {
          const child = startCommand(words(index % DOCKERFILES.length, `build${index}`), together());
          const result = resultOf(child);
          const after = 200 + random() * 2500;
          if (victims.has(index)) {
            const timer = new AbortController();
            const kill = sleep(after, undefined, { signal: timer.signal }).then(
              () => child.kill('SIGKILL'),
              () => false,
            );
            await Promise.race([result, kill]);
            timer.abort();
            if (await kill) killed.add(`build${index}`);
          }
          return result;
        }),
      );
      results.forEach(({ exitCode, stdout, stderr }, index) => {
        if (killed.has(`build${index}`)) return;
        expect(stderr).toBe('');
        expect([exitCode, stdout]).toEqual([0, expected[index % DOCKERFILES.length]]);
      });
      const runs = runsOf(together().root);
      for (const [name, owners] of runs) {
        const survivors = owners.filter((owner) => !killed.has(owner));
        expect(new Set(owners).size, `${name}: ${owners}`).toBe(owners.length);
        expect(survivors.length, `${name}: ${owners}, killed ${[...killed]}`).toBeLessThanOrEqual(1);
      }
      expect(runs.size).toBeGreaterThan(0);
      // What was killed is built now, of what the others have left.
      for (const variant of DOCKERFILES.keys())
        expect(await succeed(words(variant, 'after'), together())).toBe(expected[variant]);
      expect(leftovers(folder.path)).toEqual([]);
      expect(await succeed(['system', 'check'], together())).toMatch(/^The store is whole/m);
      expect(await succeed(['system', 'check'], together())).toBe('The store is whole.\n');
    });

    it('run nothing twice where nobody is killed', async () => {
      const before = runsOf(together().root);
      const lines = [`FROM ${BASE}`, step('m'), step('n'), step('o')];
      writeFileSync(join(folder.path, 'context0', 'Dockerfile'), `${lines.join('\n')}\n`);
      const ids = await Promise.all(
        Array.from({ length: BUILDS }, (_, index) => command(words(0, `again${index}`), together())),
      );
      expect(new Set(ids.map(({ stdout }) => stdout)).size).toBe(1);
      const after = runsOf(together().root);
      for (const name of before.keys()) expect(after.get(name)).toEqual(before.get(name));
      expect(['m', 'n', 'o'].map((name) => after.get(name)!.length)).toEqual([1, 1, 1]);
    });
  },
);

/** Who ran each step, from the cache mount of the store. */
function runsOf(store: string): Map<string, string[]> {
  const id = createHash('sha256').update('runs').digest('hex');
  const runs = new Map<string, string[]>();
  for (const line of readFileSync(join(store, 'cache', id, '0/log'), 'utf8')
    .trim()
    .split('\n')) {
    const [name, owner] = line.split(' ') as [string, string];
    runs.set(name, [...(runs.get(name) ?? []), owner]);
  }
  return runs;
}
