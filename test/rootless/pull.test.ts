import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { BASE, ordinaryUser } from './ordinary-user.ts';

const NEEDS = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap'), ...REGISTRY_NEEDS];

describeWith({ needs: NEEDS }, 'registries and an ordinary user', () => {
  const registry = testRegistry();
  for (const [who, ranges] of [
    ['with subordinate ids', ['700000000:70000']],
    ['with a single id', []],
  ] as const) {
    describeWith({ needs: [] }, who, () => {
      const user = ordinaryUser(ranges);

      it('pushes, pulls the same image again and builds on it', async () => {
        const name = `${registry.host}/user/app-${ranges.length}:1`;
        const context = user.context('pushed', {
          Dockerfile: `FROM ${BASE}\nCOPY --chown=33:44 mine /mine\nRUN echo built > /built\n`,
          mine: 'mine\n',
        });
        const id = (await user.ok(['build', '-q', '--push', '-t', name, context])).trim();
        const other = join(user.folder, 'home', 'other-store');
        const env = { SLIPWAY_ROOT: other, SLIPWAY_PULL: 'missing' };
        await user.ok(['pull', '-q', name], { env });
        expect((await user.ok(['images', '-q', '--no-trunc'], { env })).trim()).toBe(id);
        const on = user.context('on', { Dockerfile: `FROM ${name}\nRUN cat /mine /built > /both\n` });
        await user.ok(['build', '-t', 'on', on], { env });
        expect(await user.ok(['run', '--rm', 'on', 'cat', '/both'], { env })).toBe('mine\nbuilt\n');
        expect(await user.ok(['system', 'check'], { env })).toBe('The store is whole.\n');
      });
    });
  }
});
