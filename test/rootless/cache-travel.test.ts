import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith, program, root } from '../support/need.ts';
import { BASE, ordinaryUser, type Ranges } from './ordinary-user.ts';

const KINDS: [name: string, ranges: Ranges][] = [
  ['a single id', []],
  ['many ids', ['700600000:65536']],
];

for (const [name, ranges] of KINDS) {
  const needs = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];
  describeWith({ needs }, `caches of a user with ${name}`, () => {
    const user = ordinaryUser(ranges);

    it('go to a directory with their mounts, and come back', async () => {
      const files = {
        Dockerfile: `FROM ${BASE}
COPY --chown=33:44 source /source
RUN --mount=type=cache,id=mine,target=/c cat /source >> /c/log && chmod 700 /c && cat /c/log
`,
        source: 'one\n',
      };
      const context = user.context('one', files);
      const cache = join(user.folder, 'home', 'cache');
      const id = await user.ok([
        'build',
        '-q',
        `--cache-to=type=local,dest=${cache},mode=max,mounts=mine`,
        context,
      ]);
      // Another machine of the same user.
      const env = { SLIPWAY_ROOT: join(user.folder, 'home', 'second') };
      const tar = join(user.folder, 'home', 'base.tar');
      await user.ok(['save', '-o', tar, BASE]);
      await user.ok(['load', '-i', tar], { env });
      const from = `--cache-from=type=local,src=${cache}`;
      expect(await user.ok(['build', '-q', from, context], { env })).toBe(id);
      const changed = user.context('two', { ...files, source: 'two\n' });
      const { stderr } = await user.run(['build', '--progress=plain', from, changed], { env });
      expect(stderr).toMatch(/one\n#\d+ [\d.]+ two\n/);
      const archive = join(user.folder, 'home', 'mounts.tar');
      await user.ok(['cache', 'export', 'mine', '-o', archive], { env });
      expect(await user.ok(['cache', 'import', '-i', archive])).toBe('mine\n');
      for (const store of [user.store, env.SLIPWAY_ROOT]) expect(readdirSync(join(store, 'tmp'))).toEqual([]);
    });
  });
}
