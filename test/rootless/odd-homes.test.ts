import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith, program, root } from '../support/need.ts';
import { slipway } from '../support/slipway.ts';
import { BASE, ordinaryUser } from './ordinary-user.ts';

const needs = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];

describeWith({ needs }, 'odd homes', () => {
  const user = ordinaryUser(['700600000:65536']);
  const own = (name: string): string => {
    const path = join(user.folder, name);
    mkdirSync(path);
    chownSync(path, user.uid, user.uid);
    return path;
  };
  /** Import, build and run on the store that the environment leads to. */
  const works = async (env: Record<string, string>, words: readonly string[] = []): Promise<void> => {
    const options = { env, inside: words };
    const context = user.context('odd', {
      Dockerfile: `FROM ${BASE}\nCOPY Dockerfile /d/\nRUN touch /f && chown 33 /f && ls -ln /d /f\n`,
    });
    await user.ok(['import', join(user.folder, 'base.tar'), BASE], options);
    await user.ok(['build', '-t', 'odd', context], options);
    expect(await user.ok(['run', '--rm', 'odd', 'stat', '-c', '%u %a', '/f', '/d'], options)).toBe(
      '33 644\n0 755\n',
    );
    expect(await user.ok(['system', 'check'], options)).toBe('The store is whole.\n');
  };

  it('a store with spaces, commas, colons and letters of all kinds', async () => {
    await works({ SLIPWAY_ROOT: join(own('a store, with: ünï "\'$x\\ 漢字'), 'in it') });
  });

  it.each(['000', '077'])('umask %s', async (mask) => {
    const store = join(own(`umask-${mask}`), 'store');
    await works({ SLIPWAY_ROOT: store }, ['sh', '-c', `umask ${mask} && exec "$@"`, 'sh']);
    for (const name of ['', 'layers', 'blobs', 'locks', 'overrides', 'cache', 'active']) {
      expect(lstatSync(join(store, name)).mode & 0o022).toBe(0);
    }
    expect(lstatSync(store).mode & 0o777).toBe(0o700);
  });

  it('a home that cannot be written', async () => {
    const home = join(user.folder, 'read-only');
    mkdirSync(home, { mode: 0o555 });
    chmodSync(home, 0o555);
    const { exitCode, stderr } = await user.run(['import', join(user.folder, 'base.tar')], {
      env: { HOME: home },
    });
    expect(exitCode).toBe(1);
    expect(stderr.replaceAll(user.folder, 'FOLDER')).toMatchInlineSnapshot(`
      "Error: the store FOLDER/read-only/.local/share/slipway cannot be made: EACCES: permission denied, mkdir 'FOLDER/read-only/.local/share/slipway'
      Hint: Name another place with --root or SLIPWAY_ROOT.
      "
    `);
    await works({ HOME: home, SLIPWAY_ROOT: join(own('elsewhere'), 'store') });
  });

  it('no home, and no account', async () => {
    const words = ['env', '-u', 'HOME'];
    const store = join(own('homeless'), 'store');
    await works({ SLIPWAY_ROOT: store }, words);
    const stranger = ['setpriv', '--reuid=700700000', '--regid=700700000', '--clear-groups'];
    const asStranger = { as: stranger, inside: words };
    expect((await user.run(['images'], asStranger)).stderr).toMatchInlineSnapshot(`
      "Error: this user has no home: HOME is not set and there is no account
      Hint: Name a place for the store with --root or SLIPWAY_ROOT.
      "
    `);
    const place = own('strange');
    chmodSync(place, 0o777);
    const env = { SLIPWAY_ROOT: join(place, 'store') };
    await user.ok(['import', join(user.folder, 'base.tar'), BASE], { ...asStranger, env });
    expect(await user.ok(['run', '--rm', BASE, 'id', '-u'], { ...asStranger, env })).toBe('0\n');
  });

  it("stands beside root's store and another user's", async () => {
    const rootStore = join(user.folder, 'root-store');
    const options = { root: rootStore, cwd: user.folder };
    const [ofRoot] = await Promise.all([
      slipway(['import', join(user.folder, 'base.tar'), BASE], options).then(() =>
        slipway(['run', '--rm', BASE, 'id', '-u'], options),
      ),
      works({ SLIPWAY_ROOT: join(own('beside'), 'store') }),
    ]);
    expect(ofRoot).toBe('0\n');
    const { exitCode, stderr } = await user.run(['run', '--rm', BASE, 'true'], {
      env: { SLIPWAY_ROOT: rootStore },
    });
    expect(exitCode).toBe(125);
    expect(stderr).toContain('cannot be read');
    // Root is told that the store is not its own, and changes nothing in it.
    const foreign = join(user.folder, 'beside/store');
    await expect(slipway(['run', '--rm', BASE, 'true'], { root: foreign, cwd: user.folder })).rejects.toThrow(
      'use another --root',
    );
    expect(execFileSync('find', [foreign, '-user', '0'], { encoding: 'utf8' })).toBe('');
  });
});
