import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explainStart } from '../../../src/execute/isolation/explain-start.ts';
import { userNamespaceObstacle } from '../../../src/execute/isolation/kernel-settings.ts';
import { suiteFolder } from '../../support/folders.ts';

describe('settings against user namespaces', () => {
  const folder = suiteFolder('shared');

  it.each([
    ['user/max_user_namespaces', '0\n', 'user namespaces are switched off (user.max_user_namespaces is 0)'],
    ['user/max_user_namespaces', '1000\n', undefined],
    [
      'kernel/unprivileged_userns_clone',
      '0\n',
      'user namespaces are for root only (kernel.unprivileged_userns_clone is 0)',
    ],
    [
      'kernel/apparmor_restrict_unprivileged_userns',
      '1\n',
      'AppArmor takes the rights of user namespaces away (kernel.apparmor_restrict_unprivileged_userns is 1)',
    ],
    ['kernel/apparmor_restrict_unprivileged_userns', '0\n', undefined],
  ])('%s = %j', (name, value, what) => {
    const settings = join(folder.path, `${name.replace('/', '-')}-${value.trim()}`);
    mkdirSync(dirname(join(settings, name)), { recursive: true });
    writeFileSync(join(settings, name), value);
    const obstacle = userNamespaceObstacle(settings);
    expect(obstacle?.what).toBe(what);
    if (!obstacle) return;
    const isolation = { tier: 'ids', userNamespace: true, idMap: '', reason: '', obstacle } as const;
    const error = explainStart(
      new Error('lost'),
      'unshare: cannot change root filesystem propagation',
      isolation,
    );
    expect(error.message).toContain(what);
    expect(error.hint).toBe(obstacle.advice);
  });
});
