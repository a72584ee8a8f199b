import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith, program, root } from '../support/need.ts';
import { ordinaryUser, type RunAsOptions, setSubordinateIds } from './ordinary-user.ts';

const needs = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];

describeWith({ needs }, '`slipway info` of an ordinary user', () => {
  const user = ordinaryUser([]);
  const lines = async (options?: RunAsOptions): Promise<string> => {
    const text = await user.ok(['info'], options);
    return text
      .split('\n')
      .filter((line) => /^(Isolation|Storage)/.test(line))
      .join('\n')
      .replaceAll(user.name, 'USER');
  };

  it('says why there is one id, and what to do', async () => {
    expect(await lines()).toMatchInlineSnapshot(`
      "Storage Driver: overlay (the kernel mounts overlayfs on the file system of the store)
      Isolation: user namespace with a single id: /etc/subuid and /etc/subgid name no ids for this user
      Isolation Advice: For more ids, as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER (ids that nobody else has), and install the package uidmap."
    `);
  });

  it('says that no_new_privs stands in the way', async () => {
    setSubordinateIds(user.name, ['700500000:65536']);
    expect(await lines()).toMatchInlineSnapshot(`
      "Storage Driver: overlay (the kernel mounts overlayfs on the file system of the store)
      Isolation: user namespace with the 65536 subordinate ids of /etc/subuid and /etc/subgid"
    `);
    const env = { SLIPWAY_ROOT: join(user.folder, 'home/other') };
    expect(await lines({ inside: ['setpriv', '--no-new-privs'], env })).toMatchInlineSnapshot(`
      "Storage Driver: overlay (the kernel mounts overlayfs on the file system of the store)
      Isolation: user namespace with a single id: no_new_privs is set, so newuidmap cannot work
      Isolation Advice: For more ids start it without no_new_privs (in a pod: allowPrivilegeEscalation: true)."
    `);
  });

  it('says that a part of /proc is hidden', async () => {
    const hidden = 'mount --bind /dev/null /proc/timer_list && exec "$@"';
    const through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', hidden, 'sh'];
    expect(await lines({ through })).toContain(
      'Isolation: user namespace with the 65536 subordinate ids of /etc/subuid and /etc/subgid; a part of /proc is hidden here',
    );
  });

  it('names the runtime with the reason, and makes no store', async () => {
    const env = { SLIPWAY_ROOT: join(user.folder, 'home/none/yet') };
    const text = await user.ok(['info'], { env });
    expect(text).toMatch(/^Runtime: (crun|runc|embedded) \(.+\)$/m);
    expect(text).toContain('Images: 0 (there is no store yet)');
    expect(readdirSync(join(user.folder, 'home'))).not.toContain('none');
    expect(readdirSync(join(user.folder, 'home')).filter((name) => name.startsWith('.slipway'))).toEqual([]);
  });
});
