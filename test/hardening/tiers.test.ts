import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { startSlipwayInPod } from '../rootless/in-pod.ts';
import { BASE, type OrdinaryUser, ordinaryUser, type RunAsOptions } from '../rootless/ordinary-user.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program, root } from '../support/need.ts';
import { ended, runSlipway, type SlipwayResult } from '../support/slipway.ts';
import { ATTEMPTS_SCRIPT, succeeded } from './attempts.ts';
import { makeTar, outsideFolder } from './support.ts';

const SECRET = 'what nobody may keep';
const PROBE = join(import.meta.dirname, '../../testdata/runtime/probe.c');

/** One way to be isolated, and who is so. */
interface Tier {
  name: string;
  /** Values of --runtime. One that does not run here says so: nobody can be attacked by it. */
  runtimes: readonly string[];
  /** A folder for contexts, readable for the user. */
  folder: () => string;
  store: () => string;
  run(args: readonly string[]): Promise<SlipwayResult>;
}

const RUNTIMES = ['embedded', 'runc', 'crun'];
const needs = [root(), program('gcc'), program('setpriv', 'util-linux'), program('runc'), program('crun')];
const users = [...needs, program('useradd', 'passwd'), program('newuidmap', 'uidmap')];

/** Of /proc as containers see it. */
const HIDDEN = [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-c',
  'mount --bind /dev/null /proc/timer_list && exec "$@"',
  'sh',
];

describeWith({ needs }, 'attempts of a hostile RUN under root', () => {
  const folder = suiteFolder('big');
  const store = () => join(folder.path, 'store');
  attempts({
    runtimes: RUNTIMES,
    folder: () => folder.path,
    store,
    run: (args) => runSlipway(args, { root: store(), cwd: folder.path }),
  });
});

describeWith({ needs: users }, 'attempts of a hostile RUN under a user with subordinate ids', () => {
  const user = ordinaryUser(['21000000:65536']);
  describe('with the whole /proc', () => attempts(ofUser(user, 'whole')));
  describe('where a part of /proc is hidden', () =>
    attempts({ ...ofUser(user, 'hidden', { through: HIDDEN }), runtimes: ['embedded'] }));
});

describeWith({ needs: users }, 'attempts of a hostile RUN under a user with a single id', () => {
  const user = ordinaryUser([]);
  describe('with the whole /proc', () => attempts(ofUser(user, 'whole')));
  describe('where a part of /proc is hidden', () =>
    attempts({ ...ofUser(user, 'hidden', { through: HIDDEN }), runtimes: ['embedded'] }));
});

describeWith({ needs }, 'attempts of a hostile RUN without isolation, in a locked-down pod', () => {
  const folder = suiteFolder('big');
  const store = () => join(folder.path, 'store');
  const run = (args: readonly string[]): Promise<SlipwayResult> => {
    const place = { root: store(), folder: folder.path, env: { SLIPWAY_ISOLATION: 'none' } };
    const child = startSlipwayInPod(args, place);
    child.stdin.end();
    return ended(child);
  };
  attempts({ runtimes: ['auto'], folder: () => folder.path, store, run });

  it('a secret that RUN links elsewhere is no result', async () => {
    const context = join(folder.path, 'linking');
    mkdirSync(context);
    writeFileSync(join(context, 'key'), SECRET);
    const line = 'RUN --mount=type=secret,id=k ln /run/secrets/k /linked && rm /run/secrets/k';
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\n${line}\n`);
    const { exitCode, stderr } = await run([
      'build',
      '--secret',
      `id=k,src=${join(context, 'key')}`,
      context,
    ]);
    expect(stderr).toContain('RUN made another link to the file that is mounted at /run/secrets/k');
    expect(exitCode).toBe(1);
  });
});

function ofUser(user: OrdinaryUser, name: string, options: RunAsOptions = {}): Omit<Tier, 'name'> {
  return {
    runtimes: RUNTIMES,
    folder: () => join(user.folder, name),
    store: () => user.store,
    run: (args) => user.run(args, options),
  };
}

function attempts({ runtimes, folder, store, run }: Omit<Tier, 'name'>): void {
  const outside = outsideFolder();

  const ok = async (...args: string[]): Promise<SlipwayResult> => {
    const result = await run(args);
    if (result.exitCode !== 0) throw new Error(`${args.join(' ')}: ${result.exitCode}\n${result.stderr}`);
    return result;
  };
  let count = 0;
  const build = (runtime: string, lines: string, ...flags: string[]): Promise<SlipwayResult> => {
    const context = join(folder(), `context-${count++}`);
    mkdirSync(context, { recursive: true });
    writeFileSync(join(context, 'key'), SECRET);
    writeFileSync(join(context, 'Dockerfile'), lines);
    const secret = `id=k,src=${join(context, 'key')}`;
    const words = ['--no-cache', '--progress=plain', `--runtime=${runtime}`, '--secret', secret, ...flags];
    return run(['build', ...words, context]);
  };

  beforeAll(async () => {
    const context = join(folder(), 'hostile');
    mkdirSync(context, { recursive: true });
    writeFileSync(join(folder(), 'base.tar'), (await makeBaseRootfs()).tar);
    await ok('import', join(folder(), 'base.tar'), BASE);
    execFileSync('gcc', ['-static', '-O1', '-w', '-o', join(context, 'probe'), PROBE]);
    writeFileSync(join(context, 'attempts.sh'), ATTEMPTS_SCRIPT);
    writeFileSync(
      join(context, 'image.tar'),
      makeTar([
        { path: 'marker', content: 'own root' },
        { path: 'disk', type: 'block', major: 510, minor: 77, mode: 0o666 },
      ]),
    );
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\nADD image.tar /\nCOPY probe attempts.sh /\n`);
    await ok('build', '-t', 'hostile', context);
  });

  describe.each(runtimes)('by %s', (runtime) => {
    let works = false;
    beforeAll(async () => {
      const { exitCode, stderr } = await run(['run', '--rm', `--runtime=${runtime}`, BASE, 'true']);
      works = exitCode === 0;
      // Which of them there is to defend against depends on the machine, but not for the embedded one.
      if (!works) expect(stderr).toContain(`${runtime} failed its self-test`);
    });

    it('all are refused', async () => {
      if (!works) return;
      const { exitCode, stderr } = await build(runtime, 'FROM hostile\nRUN sh /attempts.sh\n');
      expect(succeeded(stderr)).toEqual([]);
      expect(exitCode).toBe(0);
    });

    it('a cache mount that was swapped for a symlink leads nowhere', async () => {
      if (!works) return;
      const caches = join(store(), 'cache');
      const mount = `--mount=type=cache,id=${basename(folder())}-${runtime},target=/c`;
      const lines = `FROM hostile\nRUN ${mount} ls -A /c/; touch /c/made\n`;
      const before = new Set(existsSync(caches) ? readdirSync(caches) : []);
      expect((await build(runtime, lines)).exitCode).toBe(0);
      const made = readdirSync(caches).filter((name) => !before.has(name));
      expect(made).toHaveLength(1);
      renameSync(join(caches, made[0]!, '0'), join(caches, made[0]!, 'kept'));
      symlinkSync(outside.path, join(caches, made[0]!, '0'));
      expect((await build(runtime, lines)).stderr).not.toContain('nothing');
      outside.expectUntouched();
    });

    it('a WORKDIR of /proc/self/fd/N leads nowhere', async () => {
      if (!works) return;
      const ls = `RUN ls ../../../../.. ../../../../../../../..${outside.path}`;
      const { stderr } = await build(runtime, `FROM hostile\nWORKDIR /proc/self/fd/5\n${ls}\n`);
      expect(stderr).not.toContain('nothing');
      outside.expectUntouched();
    });

    it('a stub swapped for a symlink while RUN runs is not followed, and nothing mounted stays', async () => {
      if (!works) return;
      const tar = join(store(), '../root.tar');
      const { exitCode, stderr } = await build(
        runtime,
        `FROM hostile
RUN --mount=type=secret,id=k,target=/s/nothing --mount=type=cache,target=/c/empty --mount=type=tmpfs,target=/t/empty \\
  touch /c/empty/of-the-cache /t/empty/of-the-tmpfs && \\
  mv /s /s.old && ln -s ${outside.path} /s && mv /c /c.old && ln -s ${outside.path}/deep /c && \\
  mv /t /t.old && ln -s ${outside.path}/deep /t && { mv /s.old/nothing /stolen; cat /s.old/nothing; true; }
`,
        '-o',
        `type=tar,dest=${tar}`,
      );
      outside.expectUntouched();
      expect(stderr).toMatch(new RegExp(`${SECRET}|can't open|No such file`));
      expect(exitCode).toBe(0);
      const names = execFileSync('tar', ['-tf', tar], { encoding: 'utf8' }).split('\n');
      expect(names.filter((name) => /^([sct](\.old)?(\/|$)|stolen|.*of-the-)/.test(name)).sort()).toEqual([
        'c',
        's',
        't',
      ]);
      expect(readFileSync(tar).includes(SECRET)).toBe(false);
    });
  });
}
