import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { describeWith, root } from '../support/need.ts';
import {
  dockerArchive,
  FROM,
  hardeningStore,
  logOf,
  makeTar,
  OUTSIDE_CONTENT,
  outsideFolder,
  RUNTIMES,
} from './support.ts';

const UP = '../../../../../../../../../..';

describeWith({ needs: [root()] }, 'paths that lead out of a root', () => {
  const store = hardeningStore();
  const outside = outsideFolder();
  afterEach(() => outside.expectUntouched());

  /** Links of a stage to a folder of the machine, absolute and relative. */
  const links = () => `RUN ln -s ${outside.path} /absolute && ln -s ${UP}${outside.path} /relative\n`;

  it('COPY, ADD and heredocs to a destination behind a link write inside the image', async () => {
    const dockerfile = `${FROM}${links()}COPY a /absolute/
ADD a /relative/b
COPY tree /absolute/deep/
COPY <<here /relative/
text
here
RUN cd ${outside.path} && cat a b deep/x here && ls /absolute
`;
    const files = { a: 'A\n', 'tree/x': 'X\n' };
    expect(await store.log(dockerfile, 'RUN cd', { files })).toBe('A\nA\nX\ntext\na\nb\ndeep\nhere\n');
  });

  it('COPY --from finds nothing behind a link of the stage that leads out', async () => {
    for (const source of ['/absolute/file', '/relative/file', `${UP}${outside.path}/file`]) {
      const dockerfile = `${FROM.trim()} AS one\n${links()}${FROM}COPY --from=one ${source} /copied\n`;
      const { exitCode, stderr } = await store.build(dockerfile);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('not found');
    }
  });

  it('RUN --mount=from finds nothing behind a link of the stage that leads out', async () => {
    for (const source of ['/absolute', '/relative/deep']) {
      const dockerfile = `${FROM.trim()} AS one\n${links()}${FROM}RUN --mount=from=one,source=${source},target=/m,rw ls /m; touch /m/made\n`;
      const { exitCode, stderr } = await store.build(dockerfile);
      expect(exitCode).toBe(1);
      expect(stderr).not.toContain('deep\n');
    }
  });

  it('links of the context that lead out are not followed', async () => {
    const prepare = (context: string) => {
      symlinkSync(join(outside.path, 'file'), join(context, 'link'));
      mkdirSync(join(context, 'tree'));
      symlinkSync(join(outside.path, 'file'), join(context, 'tree/link'));
      symlinkSync(outside.path, join(context, 'folder'));
    };
    for (const source of ['link', 'folder/file', 'folder', `${UP}${outside.path}/file`]) {
      const { exitCode, stderr } = await store.build(`${FROM}COPY ${source} /x\n`, { prepare });
      expect(exitCode).toBe(1);
      expect(stderr).toContain('not found');
    }
    // Below a directory they are copied as what they are.
    const text = await store.log(
      `${FROM}COPY tree /t\nRUN readlink /t/link; cat /t/link || echo gone\n`,
      'RUN readlink',
      {
        prepare,
      },
    );
    expect(text).toContain(`${outside.path}/file\n`);
    expect(text).toContain('gone');
    expect(text).not.toContain(OUTSIDE_CONTENT);
  });

  it('an added archive with links, hard links and names that lead out writes inside its destination', async () => {
    const archive = (name: string, ...parts: Parameters<typeof makeTar>[0]) => ({ [name]: makeTar(parts) });
    const link = { type: 'symlink', link: outside.path } as const;
    const files = {
      ...archive('through.tar', { path: 'l', ...link }, { path: 'l/file', content: 'evil' }),
      ...archive('up.tar', { path: `${UP}${outside.path}/file`, content: 'evil' }),
      ...archive('hard.tar', { path: 'h', type: 'hardlink', link: `${UP}${outside.path}/file` }),
      ...archive(
        'both.tar',
        { path: 'l', ...link },
        { path: 'h', type: 'hardlink', link: 'l/file' },
        { path: 'h', content: 'evil' },
      ),
      ...archive(
        'replaced.tar',
        { path: 'd/' },
        { path: 'd/x', content: '' },
        { path: 'd', ...link },
        { path: 'd/file', content: 'evil' },
      ),
    };
    const outcomes = await Promise.all(
      Object.keys(files).map(async (name) => {
        const { stderr } = await store.build(`${FROM}${links()}ADD ${name} /absolute/\n`, { files });
        return `${name}: ${/ERROR: failed to build: failed to solve: (.*)/.exec(stderr)?.[1] ?? 'built'}`;
      }),
    );
    expect(outcomes.map((line) => line.replaceAll(outside.path, 'OUTSIDE'))).toMatchInlineSnapshot(`
      [
        "through.tar: cannot extract l/file: no such file or directory behind a link",
        "up.tar: the archive names ../../../../../../../../../..OUTSIDE/file, which lies outside of it",
        "hard.tar: the archive names ../../../../../../../../../..OUTSIDE/file, which lies outside of it",
        "both.tar: cannot extract l/file: no such file or directory behind a link",
        "replaced.tar: cannot extract d/file: no such file or directory behind a link",
      ]
    `);
  });

  it('layers of a loaded image with links, hard links and whiteouts that lead out stay inside', async () => {
    const layer = makeTar([
      { path: 'absolute', type: 'symlink', link: outside.path },
      { path: 'relative', type: 'symlink', link: `${UP}${outside.path}` },
      { path: 'absolute/file', content: 'evil' },
      { path: 'relative/.wh.nothing' },
      { path: 'absolute/deep/.wh..wh..opq' },
      { path: `${UP}${outside.path}/.wh.file` },
      { path: `${UP}${outside.path}/deep/empty/x`, content: 'evil' },
    ]);
    await store.ok(['load'], { input: dockerArchive({ tag: 'test/links', layers: [layer] }) });
    const hard = makeTar([{ path: 'h', type: 'hardlink', link: `${UP}${outside.path}/file` }]);
    const refused = await store.run(['load'], {
      input: dockerArchive({ tag: 'test/hard', layers: [hard] }),
    });
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.stderr).toContain('is not a file of this layer');
    await store.ok(['rmi', 'test/links']);
  });

  it('an exported directory does not write through links that lie in it', async () => {
    await store.ok([
      'build',
      '-t',
      'test/built',
      store.context('exported', {
        Dockerfile: `${FROM}RUN mkdir -p /deep/empty && echo new > /deep/file && echo new > /nothing\n`,
      }),
    ]);
    const target = store.context('target', {});
    symlinkSync(join(outside.path, 'deep'), join(target, 'deep'));
    symlinkSync(join(outside.path, 'nothing'), join(target, 'nothing'));
    const context = store.context('again', { Dockerfile: 'FROM test/built\n' });
    const result = await store.run(['build', '-o', `type=local,dest=${target}`, context]);
    // Refused or written in place of the links; what counts is the folder outside.
    if (result.exitCode === 0) expect(readFileSync(join(target, 'deep/file'), 'utf8')).toBe('new\n');
    outside.expectUntouched();
  });

  it('removing layers and images follows no link', async () => {
    await store.ok([
      'build',
      '-t',
      'test/gone',
      store.context('gone', { Dockerfile: `${FROM}${links()}RUN mkdir /d && ln -s ${outside.path} /d/l\n` }),
    ]);
    await store.ok(['rmi', 'test/gone']);
    expect(readdirSync(join(store.root, 'tmp'))).toEqual([]);
  });

  it.each(RUNTIMES)(
    'a WORKDIR of /proc/self/fd/N, or behind a link to one, leads nowhere (%s)',
    async (runtime) => {
      // Where a build could see it, if one of these led to the machine's root.
      const marker = execFileSync('basename', [outside.path], { encoding: 'utf8' }).trim();
      const look = `ls -d /proc/self/cwd/${UP}${outside.path}/deep ${UP}${outside.path}/deep ./${marker} 2>&1; true`;
      for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 16, 20, 24]) {
        for (const [before, path] of [
          ['', `/proc/self/fd/${fd}`],
          [`RUN ln -s /proc/self/fd/${fd} /l\n`, '/l'],
        ]) {
          const dockerfile = `${FROM}${before}WORKDIR ${path}\nRUN ${look}\n`;
          const { exitCode, stderr } = await store.build(dockerfile, { flags: ['--runtime', runtime] });
          if (exitCode === 0) {
            const lines = logOf(stderr, `RUN ls`).trim().split('\n');
            for (const line of lines) expect(line).toContain('No such file or directory');
          } else expect(stderr).toMatch(/working directory|not a directory|cannot set up/);
        }
      }
    },
    240_000,
  );
});
