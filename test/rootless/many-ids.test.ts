import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { contextOfOwners, idByRoot, REPRODUCIBLE } from './images.ts';
import { BASE, ordinaryUser, setSubordinateIds } from './ordinary-user.ts';
import { expectRights } from './rights.ts';

const needs = [
  root(),
  program('useradd', 'passwd'),
  program('ssh-agent', 'openssh-client'),
  program('newuidmap', 'uidmap'),
];

/** Three blocks, none of which begins where another ends. */
const RANGES = ['700000000:1000', '700100000:500', '700200000:65000'] as const;

describeWith({ needs }, 'a user with subordinate ids', () => {
  const user = ordinaryUser(RANGES);

  it('builds, runs and saves with owners of all ranges', async () => {
    const context = user.context('first', {
      Dockerfile: `FROM ${BASE}
RUN id -u && touch /of-33 /of-1200 /of-60000 && chown 33:44 /of-33 && chown 1200:1499 /of-1200 && chown 60000 /of-60000
COPY --chown=1200 Dockerfile /copied
USER 33:44
WORKDIR /tmp/work
RUN id -u && id -g && touch mine
CMD ["ls", "-ln", "/of-33", "/of-1200", "/of-60000", "/copied", "/tmp/work/mine"]
`,
    });
    await user.ok(['build', '-t', 'owners', context]);
    const listing = await user.ok(['run', '--rm', 'owners']);
    expect(
      listing.replaceAll(/ +/g, ' ').replaceAll(/ \w{3} [\d ]\d \d\d:\d\d /g, ' '),
    ).toMatchInlineSnapshot(`
      "-rw-r--r-- 1 1200 1200 316 /copied
      -rw-r--r-- 1 1200 1499 0 /of-1200
      -rw-r--r-- 1 33 44 0 /of-33
      -rw-r--r-- 1 60000 0 0 /of-60000
      -rw-r--r-- 1 33 44 0 /tmp/work/mine
      "
    `);
    await user.ok(['save', '-o', join(user.folder, 'home/owners.tar'), 'owners']);
    expect((await user.ok(['system', 'check'])).trim()).toBe('The store is whole.');
  });

  it('keeps files under mapped ids on the disk, and deletes them', async () => {
    const context = user.context('mapped', {
      Dockerfile: `FROM ${BASE}\nRUN touch /of-33 && chown 33 /of-33\n`,
    });
    await user.ok(['build', '--no-cache', '-t', 'mapped', context]);
    const owners = layersOf(user.store).flatMap((layer) => {
      const stat = lstatSync(join(layer, 'of-33'), { throwIfNoEntry: false });
      return stat ? [stat.uid] : [];
    });
    expect(owners).toContain(700_000_032);
    const before = layersOf(user.store);
    contextOfOwners(user.folder);
    await user.ok(['import', join(user.folder, 'owners/entries.tar'), 'imported']);
    const layer = layersOf(user.store).find((path) => !before.includes(path))!;
    expect(lstatSync(join(layer, 'x')).uid).toBe(700_000_032);
    await user.ok(['rmi', 'imported']);
    expect(layersOf(user.store)).toEqual(before);
  });

  it('gives the image that root gives', async () => {
    const context = contextOfOwners(user.folder);
    const expected = await idByRoot(user.folder, context);
    expect((await user.ok(['build', '-q', '-t', 'same', context], { env: REPRODUCIBLE })).trim()).toBe(
      expected,
    );
  });

  it('gives steps agents, secrets and rights', async () => {
    const { folder, store } = user;
    await expectRights({ folder, store, insecure: 'mounted' }, (args, env) => user.run(args, { env }));
  });

  it('has the resolver of the host', async () => {
    const { stdout } = await user.run(['run', '--rm', BASE, 'cat', '/etc/resolv.conf']);
    expect(stdout).toBe(readFileSync('/etc/resolv.conf', 'utf8'));
  });

  it.each(['auto', 'embedded'])('has nothing of /sys to write to, runtime %s', async (runtime) => {
    const mounts = await user.ok([
      'run',
      '--rm',
      `--runtime=${runtime}`,
      BASE,
      'grep',
      ' /sys',
      '/proc/mounts',
    ]);
    const lines = mounts.split('\n').filter(Boolean);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => !/^\S+ \S+ \S+ ro,/.test(line))).toEqual([]);
  });

  it('works where a part of /proc is hidden', async () => {
    const hidden = 'mount --bind /dev/null /proc/timer_list && exec "$@"';
    const through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', hidden, 'sh'];
    const script =
      'id -u; test "$(readlink /proc/self)" -gt 0 && echo proc; cat /proc/timer_list; kill -9 -1';
    const { stdout } = await user.run(['run', '--rm', '-u', '33', BASE, 'sh', '-c', script], { through });
    expect(stdout).toBe('33\nproc\n');
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
    expect(await user.ok(['system', 'check'])).toContain('The store is whole');
  });

  it('refuses the store under other ids, and takes it over under more', async () => {
    const inside = ['setpriv', '--no-new-privs'];
    const refused = await user.run(['run', '--rm', BASE, 'true'], { inside });
    expect(refused.stderr).toContain('use another --root, or the same user and subordinate ids as before');
    expect(refused.exitCode).toBe(125);
    setSubordinateIds(user.name, [...RANGES, '700300000:1000']);
    expect(await user.ok(['run', '--rm', '-u', '67000', BASE, 'id', '-u'])).toBe('67000\n');
    setSubordinateIds(user.name, RANGES);
    expect((await user.run(['run', '--rm', BASE, 'true'])).exitCode).toBe(125);
    setSubordinateIds(user.name, [...RANGES, '700300000:1000']);
  });
});

function layersOf(store: string): string[] {
  const layers = join(store, 'layers');
  return readdirSync(layers).map((name) => join(layers, name));
}
