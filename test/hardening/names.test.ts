import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { describeWith, root } from '../support/need.ts';
import { dockerArchive, FROM, hardeningStore, makeTar, outsideFolder } from './support.ts';

describeWith({ needs: [root()] }, 'names from images, flags and Dockerfiles', () => {
  const store = hardeningStore();
  const outside = outsideFolder();
  const up = () => `../../../../../../../../../..${outside.path}`;
  afterEach(() => outside.expectUntouched());
  const layer = makeTar([{ path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n' }]);

  /** Loads an image with this configuration, and a shell on top of it. */
  const load = async (config: object): Promise<void> => {
    const input = dockerArchive({ tag: 'test/hostile', layers: [layer], config });
    await store.ok(['load'], { input });
    const shell = 'FROM test/hostile\nUSER 0\nCOPY --from=test/base /bin /bin\n';
    await store.ok(['build', '-t', 'test/hostile-shell', '-'], { input: shell });
  };

  describe.each<[string, () => object]>([
    ['a working directory', () => ({ WorkingDir: up() })],
    ['an absolute working directory with ..', () => ({ WorkingDir: `/x/${up()}/deep` })],
    ['volumes', () => ({ Volumes: { [up()]: {}, [`/${up()}/deep`]: {} } })],
    ['an entrypoint', () => ({ Entrypoint: [`${up()}/file`], Cmd: [up()] })],
    ['a shell', () => ({ Shell: [`${up()}/file`, '-c'] })],
  ])('%s of an image that leads out', (_, config) => {
    it('is a path inside the container, or refused', async () => {
      await load(config());
      const build = await store.build(
        'FROM test/hostile-shell\nRUN ["/bin/sh", "-c", "echo x > made; pwd; ls -d /proc/self/cwd/deep"]\n',
      );
      const run = await store.run([
        'run',
        '--rm',
        '--entrypoint',
        '/bin/sh',
        'test/hostile-shell',
        '-c',
        'echo x > made; ls -d deep',
      ]);
      for (const { stderr } of [build, run]) expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
      expect(run.stdout).not.toContain('deep\n');
      outside.expectUntouched();
    });
  });

  it('a user of an image that is a path is looked up in its account file, and nowhere else', async () => {
    await store.ok(['load'], {
      input: dockerArchive({ tag: 'test/hostile', layers: [layer], config: { User: `${up()}/file` } }),
    });
    const { exitCode, stderr } = await store.build(
      'FROM test/hostile\nCOPY --from=test/base /bin /bin\nRUN true\n',
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain('no matching entries in passwd file');
  });

  it.each(['../../../x:1', 'x:../../y', '/etc/x:1', './x:1', 'a/../../b:1', 'x\0y:1', '\x1b[2Jx:1', ''])(
    'a repository or tag in an archive that is no name is refused: %j',
    async (tag) => {
      const before = await store.ok(['images', '-a', '-q']);
      const result = await store.run(['load'], { input: dockerArchive({ tag, layers: [layer] }) });
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toMatch(/invalid reference format|repository name/);
      expect(result.stderr).not.toContain('\x1b');
      expect(await store.ok(['images', '-a', '-q'])).toBe(before);
    },
  );

  it('names that are paths are refused wherever one is given', async () => {
    const path = `${up()}/file`;
    for (const args of [
      ['inspect', path],
      ['history', path],
      ['rmi', path],
      ['rmi', `sha256:${path}`],
      ['tag', path, 'x'],
      ['tag', 'test/base', path],
      ['save', '-o', '/dev/null', path],
      ['run', path],
    ]) {
      const result = await store.run(args);
      expect(result.exitCode, args.join(' ')).not.toBe(0);
      outside.expectUntouched();
    }
    for (const from of [path, `x@sha256:${path}`, `sha256:${path}`]) {
      expect((await store.build(`FROM ${from}\nRUN true\n`)).exitCode).toBe(1);
    }
  });

  it('ids of caches, secrets and stages that are paths stay names', async () => {
    const dockerfile = `${FROM}RUN --mount=type=cache,id=${up()},target=/c --mount=type=secret,id=${up()}/file touch /c/x; ls /run/secrets 2>/dev/null || echo none\n`;
    expect(await store.log(dockerfile, 'RUN ')).toBe('none\n');
    for (const name of readdirSync(`${store.root}/cache`)) expect(name).toMatch(/^[0-9a-f]{64}$/);
  });

  it('a target of a cache or secret with .. stays inside', async () => {
    const dockerfile = `${FROM}RUN --mount=type=cache,target=${up()} --mount=type=secret,id=s,target=${up()}/file true\n`;
    const { stderr } = await store.build(dockerfile, {
      files: { s: 's' },
      flags: ['--secret', 'id=s,src=s'],
    });
    expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
  });
});
