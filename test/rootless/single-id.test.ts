import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { contextOfOwners, idByRoot, REPRODUCIBLE } from './images.ts';
import { BASE, ordinaryUser, setSubordinateIds } from './ordinary-user.ts';
import { expectRights } from './rights.ts';

describeWith(
  { needs: [root(), program('useradd', 'passwd'), program('ssh-agent', 'openssh-client')] },
  'a user with a single id',
  () => {
    const user = ordinaryUser([]);
    const failure = async (name: string, lines: string): Promise<string> => {
      const context = user.context(name, { Dockerfile: `FROM ${BASE}\n${lines}\n` });
      const { exitCode, stderr } = await user.run(['build', '--progress=plain', context]);
      expect(exitCode).not.toBe(0);
      return stderr.slice(stderr.indexOf('ERROR: failed to build'));
    };

    it('gives the image that root gives, owners and devices recorded', async () => {
      const context = contextOfOwners(user.folder);
      const expected = await idByRoot(user.folder, context);
      expect((await user.ok(['build', '-q', '-t', 'same', context], { env: REPRODUCIBLE })).trim()).toBe(
        expected,
      );
      const archive = join(user.folder, 'home/same.tar');
      await user.ok(['save', '-o', archive, 'same']);
      await user.ok(['rmi', 'same']);
      expect(await user.ok(['load', '-i', archive])).toContain('Loaded image: same:latest');
      expect((await user.ok(['system', 'check'])).trim()).toBe('The store is whole.');
    });

    it('gives steps agents, secrets and rights', async () => {
      const { folder, store } = user;
      await expectRights({ folder, store, insecure: 'mounted' }, (args, env) => user.run(args, { env }));
    });

    it('writes the recorded owners of a merged file system', async () => {
      const tar = join(user.folder, 'home/rootfs.tar');
      const context = join(user.folder, 'owners');
      await user.ok(['build', '-q', '-o', `type=tar,dest=${tar}`, context], { env: REPRODUCIBLE });
      const listing = execFileSync('tar', ['tvf', tar], { encoding: 'utf8' });
      const entries = listing.split('\n').filter((line) => / (all\/)?(t|x|big|home)\b/.test(line));
      expect(
        entries.map((line) => line.replaceAll(/ +/g, ' ').replace(/ \d{4}-\S+ \S+/, '')).join('\n'),
      ).toMatchInlineSnapshot(`
        "drwxr-xr-x 0/0 0 all/home/
        drwxr-xr-x 12/13 0 all/home/u/
        drwxr-xr-x 12/13 0 all/home/u/work/
        drwxr-xr-x 0/0 0 all/t/
        brw-r--r-- 0/0 8,0 all/t/disk
        crw-r--r-- 0/0 1,3 all/t/null
        drwxr-xr-x 66/77 0 all/t/of-66/
        -rwxr-sr-x 55/0 2 all/t/s
        -rw-r--r-- 33/44 2 all/t/x
        hrw-r--r-- 33/44 0 all/t/y link to all/t/x
        drwxr-xr-x 7/8 0 all/x/
        drwxr-xr-x 7/8 0 all/x/y/
        -rw-r--r-- 7/8 2 all/x/y/a
        drwxr-xr-x 7/8 0 all/x/y/deep/
        -rwsr-xr-x 7/8 2 all/x/y/deep/b
        hrw-r--r-- 7/8 0 all/x/y/deep/h link to all/x/y/a
        lrwxrwxrwx 7/8 0 all/x/y/l -> a
        -rws--s--x 100000/100000 2 big
        drwxr-xr-x 0/0 0 home/
        drwxr-xr-x 0/0 0 t/
        brw-r--r-- 0/0 8,0 t/disk
        crw-r--r-- 0/0 1,3 t/null
        drwxr-xr-x 66/77 0 t/of-66/
        -rwxr-sr-x 55/0 2 t/s
        -rw-r--r-- 33/44 2 t/x
        hrw-r--r-- 33/44 0 t/y link to t/x
        drwxr-xr-x 0/0 0 x/
        drwxr-xr-x 7/8 0 x/y/
        -rw-r--r-- 7/8 2 x/y/a
        drwxr-xr-x 7/8 0 x/y/deep/
        -rwsr-xr-x 7/8 2 x/y/deep/b
        hrw-r--r-- 7/8 0 x/y/deep/h link to x/y/a
        lrwxrwxrwx 7/8 0 x/y/l -> a
        -rw-r--r-- 0/0 2 x/y/new"
      `);
    });

    it('keeps recorded owners of files that a RUN changes, and not of those that it replaces', async () => {
      const context = user.context('changes', {
        Dockerfile: `FROM ${BASE}
COPY --chown=7:8 Dockerfile /d/changed
COPY --chown=7:8 Dockerfile /d/replaced
RUN echo more >> /d/changed && rm /d/replaced && echo new > /d/replaced && touch /d/new
`,
      });
      const tar = join(user.folder, 'home/changes.tar');
      await user.ok(['build', '-q', '-o', `type=tar,dest=${tar}`, context]);
      const listing = execFileSync('tar', ['tvf', tar, 'd'], { encoding: 'utf8' });
      expect(listing.replaceAll(/ +\d+ \d{4}-\S+ \S+/g, '')).toMatchInlineSnapshot(`
      "drwxr-xr-x 7/8 d/
      -rw-r--r-- 7/8 d/changed
      -rw-r--r-- 0/0 d/new
      -rw-r--r-- 0/0 d/replaced
      "
    `);
    });

    it('explains a chown that the kernel refuses', async () => {
      expect(await failure('chown', 'RUN chown 33 /etc/passwd')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: process "/bin/sh -c chown 33 /etc/passwd" did not complete successfully: exit code: 1
      Hint: This build has a single id, because /etc/subuid and /etc/subgid give this user no others (or newuidmap cannot be used): \`slipway info\` says what to do.
      "
    `);
    });

    it('refuses another USER', async () => {
      expect(await failure('user', 'USER 33\nRUN id')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: USER 33 is 33:0 here, an id that this user's namespace does not have
      Hint: This build has a single id, because /etc/subuid and /etc/subgid give this user no others (or newuidmap cannot be used): \`slipway info\` says what to do.
      "
    `);
      expect((await user.run(['run', '--rm', '-u', '33', BASE, 'id'])).stderr).toContain('/etc/subuid');
    });

    it('runs as root without further groups, with its own output devices', async () => {
      expect(
        await user.ok(['run', '--rm', BASE, 'sh', '-c', 'id; echo err >&2; echo out > /dev/stdout']),
      ).toBe('uid=0(root) gid=0(root) groups=0(root)\nout\n');
    });

    it('works where a part of /proc is hidden', async () => {
      const hidden = 'mount --bind /dev/null /proc/timer_list && exec "$@"';
      const through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', hidden, 'sh'];
      const context = user.context('hidden', {
        Dockerfile: `FROM ${BASE}\nRUN cat /proc/self/comm > /comm\nCMD cat /comm\n`,
      });
      await user.ok(['build', '-t', 'hidden', context], { through });
      expect(await user.ok(['run', '--rm', 'hidden'], { through })).toBe('cat\n');
      expect(await user.ok(['run', '--rm', 'hidden'])).toBe('cat\n');
    });

    it('leaves no process and no mount when it is killed', async () => {
      const context = user.context('killed', {
        Dockerfile: `FROM ${BASE}\nRUN sleep 600 & echo started; sleep 601\n`,
      });
      const child = user.start(['build', '--progress=plain', context]);
      await new Promise<void>((resolve) => {
        child.stderr?.on('data', (data: Buffer) => {
          if (data.includes('started\n')) resolve();
        });
      });
      child.kill('SIGKILL');
      await expect.poll(() => leftovers(user.folder), { timeout: 10_000 }).toEqual([]);
    });

    it('goes on with the same store when it is given more ids', async () => {
      setSubordinateIds(user.name, ['700400000:65536']);
      expect(await user.ok(['run', '--rm', '-u', '33', BASE, 'id', '-u'])).toBe('33\n');
      const { idMap } = JSON.parse(readFileSync(join(user.store, 'format'), 'utf8')) as { idMap: string };
      expect(idMap).toBe(`0:${user.uid}:1,1:700400000:65536/0:${user.uid}:1,1:700400000:65536`);
      expect((await user.ok(['system', 'check'])).trim()).toBe('The store is whole.');
    });
  },
);
