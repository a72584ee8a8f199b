import { readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { describeWith, root } from '../support/need.ts';
import {
  dockerArchive,
  FROM,
  hardeningStore,
  makeTar,
  outsideFolder,
  RUNTIMES,
  topLayer,
} from './support.ts';

describeWith({ needs: [root()] }, 'places of mounts', () => {
  const store = hardeningStore();
  const outside = outsideFolder();
  afterEach(() => outside.expectUntouched());
  const secret = (context: string): void => writeFileSync(join(context, 'key'), 'k');
  const flags = ['--secret', 'id=k,src=key'];

  it.each(RUNTIMES)(
    'a stub swapped for a link while RUN runs: the clean-up follows nothing (%s)',
    async (runtime) => {
      // Behind each link lies what the clean-up would take for its stub: an empty file, an empty directory.
      const dockerfile = `FROM test/bare
RUN --mount=type=secret,id=k,target=/s/nothing --mount=type=cache,target=/c/empty --mount=type=tmpfs,target=/t/empty \\
  mv /s /s.old && ln -s ${outside.path} /s && mv /c /c.old && ln -s ${outside.path}/deep /c && \\
  mv /t /t.old && ln -s ${outside.path}/deep /t && mv /etc /etc.old && ln -s ${outside.path} /etc && ls -d /s.old/nothing
`;
      // Nothing but a shell: /etc with resolv.conf and hosts is made for the mounts.
      const busybox = await store
        .ok(['run', '--rm', 'test/base', 'cat', '/bin/busybox'], {})
        .then(() => null);
      expect(busybox).toBe(null);
      await bare();
      const { exitCode, stderr } = await store.build(dockerfile, {
        prepare: secret,
        flags: [...flags, '--runtime', runtime, '--no-cache'],
      });
      expect(stderr).toContain('/s.old/nothing');
      expect(exitCode).toBe(0);
      outside.expectUntouched();
      const names = await topLayer(store);
      expect(names.filter((name) => /^(s|c|t|etc)$/.test(name))).toEqual(['c', 'etc', 's', 't']);
    },
  );

  /** An image without /etc, /proc, /dev and /sys. */
  async function bare(): Promise<void> {
    const input = 'FROM scratch\nCOPY --from=test/base /bin /bin\n';
    await store.ok(['build', '-t', 'test/bare', '-'], { input });
  }

  it.each(RUNTIMES)('no stub of a mount stays in the layer (%s)', async (runtime) => {
    await bare();
    const dockerfile = `FROM test/bare
RUN --mount=type=secret,id=k --mount=type=secret,id=k,target=/a/b/c --mount=type=cache,target=/v/cache --mount=type=tmpfs,target=/tm/p --mount=target=/ctx touch /made
`;
    const { exitCode } = await store.build(dockerfile, {
      prepare: secret,
      flags: [...flags, '--runtime', runtime, '--no-cache'],
    });
    expect(exitCode).toBe(0);
    expect(await topLayer(store)).toEqual(['made']);
  });

  it.each(RUNTIMES)('a target that is a link out of the image is mounted inside it (%s)', async (runtime) => {
    const dockerfile = `${FROM}RUN ln -s ${outside.path} /c && ln -s ${outside.path}/nothing /s && ln -s ../../../../../../..${outside.path}/deep /t
RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=secret,id=k,target=/s touch /c/made /t/made && cat /s && ls ${outside.path}
`;
    const log = await store.log(dockerfile, '3/3]', {
      prepare: secret,
      flags: [...flags, '--runtime', runtime, '--no-cache'],
    });
    expect(log).toContain('made');
  });

  it.each(RUNTIMES)(
    'the directory of a cache that was swapped for a link in the store leads nowhere (%s)',
    async (runtime) => {
      const dockerfile = `${FROM}RUN --mount=type=cache,id=swapped-${runtime},target=/c ls -A /c; touch /c/made\n`;
      const request = { flags: ['--no-cache', '--runtime', runtime] };
      const before = new Set(readdirSync(join(store.root, 'cache')));
      await store.log(dockerfile, 'RUN --mount', request);
      const caches = readdirSync(join(store.root, 'cache')).filter((name) => !before.has(name));
      const homes = caches.map((name) => join(store.root, 'cache', name));
      for (const home of homes) {
        renameSync(join(home, '0'), join(home, 'kept'));
        symlinkSync(outside.path, join(home, '0'));
      }
      const { stderr } = await store.build(dockerfile, request);
      expect(stderr).not.toContain('nothing');
      outside.expectUntouched();
    },
  );

  it.each(['/proc', '/dev', '/sys', '/etc'])(
    'an image whose %s is a link out reaches nothing',
    async (path) => {
      const layer = makeTar([{ path: path.slice(1), type: 'symlink', link: outside.path }]);
      const tag = `test/linked${path.replace('/', '-')}`;
      await store.ok(['load'], { input: dockerArchive({ tag, layers: [layer] }) });
      for (const runtime of RUNTIMES) {
        const { exitCode, stderr } = await store.build(
          `FROM ${tag}\nCOPY --from=test/base /bin /bin\nRUN ls -d ${outside.path}/deep\n`,
          { flags: ['--no-cache', '--runtime', runtime] },
        );
        expect(exitCode).toBe(1);
        if (path === '/etc') expect(stderr).toContain('No such file or directory');
        else expect(stderr).toContain(`${path} of the image is a symbolic link`);
      }
    },
  );

  it('a file where a mount needs a directory is an error, not a way out', async () => {
    const { exitCode, stderr } = await store.build(
      `${FROM}RUN echo x > /f\nRUN --mount=type=cache,target=/f/g true\n`,
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/no mount point can be made at \/f\/g/);
  });
});
