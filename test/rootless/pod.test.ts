import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { suiteFolder } from '../support/folders.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { ended, type SlipwayResult } from '../support/slipway.ts';
import { contextOfOwners, idByRoot, REPRODUCIBLE } from './images.ts';
import { startSlipwayInPod } from './in-pod.ts';
import { expectRights } from './rights.ts';

describeWith(
  { needs: [root(), program('setpriv', 'util-linux'), program('ssh-agent', 'openssh-client')] },
  'the root of a locked-down pod',
  () => {
    const folder = suiteFolder('big');
    const start = (args: readonly string[], env: Record<string, string> = {}) =>
      startSlipwayInPod(args, { root: join(folder.path, 'store'), folder: folder.path, env });
    const run = (args: readonly string[], env?: Record<string, string>): Promise<SlipwayResult> => {
      const child = start(args, env);
      child.stdin.end();
      return ended(child);
    };
    const ok = async (args: readonly string[], env?: Record<string, string>): Promise<string> => {
      const { exitCode, stdout, stderr } = await run(args, env);
      if (exitCode !== 0) throw new Error(`slipway ${args.join(' ')}: exit code ${exitCode}\n${stderr}`);
      return stdout;
    };
    const context = (name: string, dockerfile: string): string => {
      const path = join(folder.path, name);
      execFileSync('mkdir', ['-p', path]);
      writeFileSync(join(path, 'Dockerfile'), `FROM test/base\n${dockerfile}`);
      return path;
    };
    const build = (name: string, dockerfile: string, ...flags: string[]) =>
      run(['build', '--isolation=none', '--progress=plain', ...flags, context(name, dockerfile)]);

    beforeAll(async () => {
      const { tar } = await makeBaseRootfs();
      writeFileSync(join(folder.path, 'base.tar'), tar);
      await ok(['import', join(folder.path, 'base.tar'), 'test/base'], { SLIPWAY_ISOLATION: 'none' });
    });

    it('is refused isolation, and told which setting of the pod would give it', async () => {
      const { exitCode, stderr } = await run(['build', context('refused', 'RUN true\n')], {
        SLIPWAY_ROOT: join(folder.path, 'other-store'),
      });
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain('not found');
      const imported = await run(['import', join(folder.path, 'base.tar')], {
        SLIPWAY_ROOT: join(folder.path, 'other-store'),
      });
      expect(imported.stderr).toMatchInlineSnapshot(`
      "Error: this system does not let the build be isolated: unshare: unshare failed: Operation not permitted
      Hint: A container needs leave to make user namespaces: in a pod securityContext.seccompProfile.type and appArmorProfile.type: Unconfined (docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined). As root of a container that is yours alone, --isolation=none or SLIPWAY_ISOLATION=none builds without.
      "
    `);
    });

    it('builds with files, owners, whiteouts and users, and says once what is missing', async () => {
      const { exitCode, stderr } = await build(
        'first',
        `RUN mkdir -p /a/b && echo 1 > /a/b/1 && echo 2 > /a/2 && chown 33:44 /a/2
RUN rm -r /a/b && echo more >> /a/2 && test ! -e /proc/self && id
USER 33
WORKDIR /tmp/w
RUN id -u > id && cat /etc/resolv.conf > resolv && echo x > /dev/null
COPY --chown=1:2 Dockerfile /
`,
        '-t',
        'first',
      );
      expect(exitCode).toBe(0);
      expect(stderr.match(/isolation is off/g)).toHaveLength(1);
      const tar = join(folder.path, 'first.tar');
      await ok(['build', '--isolation=none', '-q', '-o', `type=tar,dest=${tar}`, join(folder.path, 'first')]);
      const listing = execFileSync('tar', ['tvf', tar], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => !/ (bin|usr|var)\//.test(line));
      expect(
        listing.map((line) => line.replaceAll(/ +\d+ \d{4}-\S+ \S+/g, '')).join('\n'),
      ).toMatchInlineSnapshot(`
      "-rw-r--r-- 1/2 Dockerfile
      drwxr-xr-x 0/0 a/
      -rw-r--r-- 33/44 a/2
      drwxr-xr-x 0/0 dev/
      drwxr-xr-x 0/0 etc/
      -rw-r--r-- 0/0 etc/group
      -rw-r--r-- 0/0 etc/passwd
      drwxr-xr-x 0/0 home/
      drwxr-xr-x 0/0 proc/
      drwx------ 0/0 root/
      drwxr-xr-x 0/0 sbin/
      drwxr-xr-x 0/0 sys/
      drwxrwxrwt 0/0 tmp/
      drwxr-xr-x 33/33 tmp/w/
      -rw-r--r-- 33/0 tmp/w/id
      -rw-r--r-- 33/0 tmp/w/resolv
      "
    `);
      expect(await ok(['system', 'check'], { SLIPWAY_ISOLATION: 'none' })).toBe('The store is whole.\n');
    });

    it('gives the image that root gives, devices recorded', async () => {
      const path = contextOfOwners(folder.path);
      const expected = await idByRoot(folder.path, path);
      expect((await ok(['build', '--isolation=none', '-q', '-t', 'same', path], REPRODUCIBLE)).trim()).toBe(
        expected,
      );
      const listing = await ok([
        'run',
        '--isolation=none',
        '--rm',
        'same',
        'ls',
        '-ln',
        '/t/disk',
        '/t/null',
      ]);
      expect(listing.match(/^-/gm)).toHaveLength(2);
    });

    it('has mounts as copies, caches that last, and leaves no trace of them', async () => {
      const lines = `RUN --mount=type=cache,target=/cache echo kept >> /cache/file && cat /cache/file
RUN --mount=type=cache,target=/cache --mount=type=bind,target=/src --mount=type=tmpfs,target=/tmp/t cat /cache/file /src/Dockerfile && echo > /tmp/t/x && ls /
RUN ls -a / /tmp
`;
      const { exitCode, stderr } = await build('mounts', lines);
      expect(stderr).toContain('kept');
      expect(exitCode).toBe(0);
      const last = stderr.slice(stderr.lastIndexOf('RUN ls -a'));
      expect(last).not.toMatch(/ (cache|src|t)\n/);
    });

    it('gives steps agents and secrets, and no rights that it has not', async () => {
      const store = join(folder.path, 'store');
      await expectRights({ folder: folder.path, store, insecure: 'refused' }, ([command, ...args], env) =>
        run([command!, '--isolation=none', ...args], env),
      );
    });

    it('refuses what it cannot keep', async () => {
      expect((await build('network', 'RUN --network=none true\n')).stderr).toContain(
        'there is no network namespace with --isolation=none',
      );
      const volume = await run([
        'run',
        '--isolation=none',
        '--rm',
        '-v',
        `${folder.path}:/v`,
        'test/base',
        'true',
      ]);
      expect(volume.stderr).toContain('Add :ro for a copy');
    });

    describe('leaves no process', () => {
      // Nobody else on this machine sleeps for so long.
      const seconds = `77${process.pid}`;
      const daemons = `USER 33\nRUN (sleep ${seconds}0 &) ; setsid sleep ${seconds}1 & `;
      const sleeping = (): string[] => leftovers(`sleep ${seconds}`);

      it('of a step that ends', async () => {
        const { exitCode } = await build('daemons', `${daemons} true\n`);
        expect(exitCode).toBe(0);
        expect(sleeping()).toEqual([]);
      });

      it('of a build that is killed', async () => {
        const path = context('killed', `${daemons} echo started; sleep ${seconds}2\n`);
        const child = start(['build', '--isolation=none', '--progress=plain', path]);
        await new Promise<void>((resolve) => {
          child.stderr.on('data', (data: Buffer) => {
            if (data.includes('started\n')) resolve();
          });
        });
        expect(sleeping()).toHaveLength(3);
        child.kill('SIGKILL');
        await expect.poll(sleeping, { timeout: 10_000 }).toEqual([]);
        await expect.poll(() => leftovers(folder.path), { timeout: 10_000 }).toEqual([]);
      });
    });
  },
);
