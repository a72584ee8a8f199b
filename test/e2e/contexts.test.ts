import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type HttpGit, httpGit, makeRepository } from '../support/git.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program } from '../support/need.ts';
import { ended, startSlipway } from '../support/slipway.ts';
import { suiteStore } from '../support/suite-store.ts';
import { slipwayInTerminal } from '../support/terminal.ts';
import { webServer } from '../support/web-server.ts';

const needs = [program('git'), ...['bzip2', 'zstd'].map((name) => program(name)), program('xz', 'xz-utils')];

describeWith({ needs }, 'contexts from elsewhere', () => {
  const store = suiteStore();
  const web = webServer();
  const git: HttpGit = httpGit(() => join(store.root, '../served'));
  const tars = new Map<string, Buffer>();
  beforeAll(() => {
    const served = join(store.root, '../served');
    mkdirSync(served);
    const repository = makeRepository(join(store.root, '../work'));
    repository.commit({
      Dockerfile: 'FROM scratch\nCOPY . /all/\n',
      'other.Dockerfile': 'FROM scratch\nCOPY f /other\n',
      '.dockerignore': 'f\n',
      f: 'f',
      'sub/Dockerfile': 'FROM scratch\nCOPY . /sub/\n',
      'sub/g': 'g',
    });
    repository.git('tag', 'v1');
    repository.publish(join(served, 'r.git'));
    const folder = store.context('archived', {
      Dockerfile: 'FROM scratch\nCOPY f /\n',
      'in/Dockerfile': 'FROM scratch\nCOPY in/g /\n',
      f: 'f',
      'in/g': 'g',
      '.dockerignore': '*\n',
    });
    for (const [name, flag] of Object.entries({
      plain: '',
      gzip: '-z',
      bzip2: '-j',
      xz: '-J',
      zstd: '--zstd',
    }))
      tars.set(name, execFileSync('tar', ['-c', ...[flag].filter(Boolean), '.'], { cwd: folder }));
  });

  /** Builds and gives the files of the image. */
  const filesOf = async (args: readonly string[], input?: string | Buffer): Promise<string[]> => {
    const to = join(store.root, '../out');
    rmSync(to, { recursive: true, force: true });
    await store.ok(['build', '-o', to, ...args], input === undefined ? {} : { input });
    return readdirSync(to, { recursive: true, encoding: 'utf8' }).sort();
  };
  const errorOf = async (args: readonly string[], input = ''): Promise<string> => {
    const { stderr, exitCode } = await store.run(['build', '--progress=plain', ...args], { input });
    expect(exitCode).toBe(1);
    return stderr
      .slice(stderr.search(/^ERROR: /m))
      .replaceAll(git.url, 'GIT')
      .replaceAll(web.url, 'WEB');
  };

  it('git repositories: whole, a directory of them, another Dockerfile, one from standard input', async () => {
    const address = `${git.url}/r.git`;
    const all = ['all', 'all/.dockerignore', 'all/Dockerfile', 'all/f', 'all/other.Dockerfile', 'all/sub'];
    expect(await filesOf([address])).toEqual([...all, 'all/sub/Dockerfile', 'all/sub/g']);
    expect(await filesOf([`${address}#v1:sub`])).toEqual(['sub', 'sub/Dockerfile', 'sub/g']);
    expect(await filesOf(['-f', 'other.Dockerfile', `${address}?branch=main`])).toEqual(['other']);
    expect(await filesOf(['-f', '-', `${address}#:sub`], 'FROM scratch\nCOPY g /stdin\n')).toEqual(['stdin']);
    const kept = await filesOf(['--build-arg', 'BUILDKIT_CONTEXT_KEEP_GIT_DIR=1', address]);
    expect(kept).toContain('all/.git/HEAD');
    expect(await filesOf([join(store.root, '../served/r.git#:sub')])).toEqual([
      'sub',
      'sub/Dockerfile',
      'sub/g',
    ]);
  });

  it('archives of the web, told by content and not by name, fetched once', async () => {
    for (const [name, content] of tars) {
      web.file('/context.txt', content, { etag: `"${name}"` });
      expect([name, await filesOf([`${web.url}/context.txt`])]).toEqual([name, ['f']]);
    }
    web.requests.length = 0;
    expect(await filesOf(['-f', 'in/Dockerfile', `${web.url}/context.txt`])).toEqual(['g']);
    expect(web.requests.map(({ headers }) => headers['if-none-match'])).toEqual(['"zstd"']);
  });

  it('archives on standard input, with -f inside of them', async () => {
    for (const [name, input] of tars) expect([name, await filesOf(['-'], input)]).toEqual([name, ['f']]);
    expect(await filesOf(['-f', 'in/Dockerfile', '-'], tars.get('xz'))).toEqual(['g']);
  });

  it('a text of the web is a Dockerfile without a context', async () => {
    web.file('/Dockerfile.tar.gz', 'FROM scratch\nADD <<E /x\ntext\nE\n');
    expect(await filesOf([`${web.url}/Dockerfile.tar.gz`])).toEqual(['x']);
    web.file('/copies', 'FROM scratch\nCOPY f /\n');
    const expected = `ERROR: failed to build: failed to solve: "/f": not found in the build context (failed to compute cache key: failed to calculate checksum of ref build-context: "/f": not found)
Hint: There is no build context: the Dockerfile came alone. Pass a directory, an archive or a git repository.
`;
    expect(await errorOf([`${web.url}/copies`])).toBe(expected);
    expect(await errorOf(['-'], 'FROM scratch\nCOPY f /\n')).toBe(expected);
    expect(await errorOf(['-f', 'x', `${web.url}/copies`])).toContain('ambiguous Dockerfile source');
  });

  it('the Dockerfile alone comes from the web', async () => {
    web.file('/x/Dockerfile', 'FROM scratch\nCOPY f /fetched\n');
    const address = `${web.url}/x/Dockerfile`;
    const folder = store.context('with-f', { f: 'f' });
    expect(await filesOf(['-f', address, folder])).toEqual(['fetched']);
    expect(await filesOf(['-f', address, `${git.url}/r.git`])).toEqual(['fetched']);
    expect(await filesOf(['-f', address, '-'], tars.get('gzip'))).toEqual(['fetched']);
    expect(await errorOf(['-f', address, '-'], 'FROM scratch\n')).toContain('ambiguous Dockerfile source');
  });

  it('named contexts on the command line', async () => {
    const folder = store.context('named', {
      Dockerfile: 'FROM scratch AS made\nCOPY f /from-target\nFROM scratch\n',
      f: 'f',
    });
    const dockerfile = 'FROM made\nCOPY --from=repo sub/g /\nCOPY --from=dir f /\n';
    const contexts = [`made=target:${folder}#made`, `repo=${git.url}/r.git`, `dir=${folder}`];
    const flags = contexts.flatMap((text) => ['--build-context', text]);
    expect(await filesOf([...flags, '-f', '-', '.'], dockerfile)).toEqual(['f', 'from-target', 'g']);
    expect(await errorOf(['--build-context', 'name', '.'])).toContain(
      'invalid context value: name, expected key=value',
    );
  });

  it('are fetched in the sight of the user, and not when nothing has changed', async () => {
    web.file('/shown.tar', tars.get('plain')!);
    const address = web.url.replace('://', '://user:pass@');
    const plain = async (context: string): Promise<string> => {
      const { stderr } = await store.run(['build', '--progress=plain', '-t', 'shown', context]);
      return (
        stderr
          .slice(0, stderr.indexOf('#2 '))
          .replaceAll(git.url.replace('http://', ''), 'GIT')
          .replaceAll(web.url.replace('http://', ''), 'WEB')
          .replaceAll(/ \d+\.\d+s/g, ' TIME')
          .replaceAll(/(?:\d+\.)?\d+[kM]?B/g, 'BYTES')
          .replaceAll(/(?:receiving objects|downloading) BYTES.* TIME(?= done)/g, (line) =>
            line.replace(' TIME', ''),
          )
          // What takes its time is shown on its way too.
          .replaceAll(
            /^#1 (?:receiving objects|downloading)(?!.* done$).*\n(?=#1 (?:receiving|downloading))/gm,
            '',
          )
          .trim()
      );
    };
    expect(await plain(`${address}/shown.tar`)).toMatchInlineSnapshot(`
      "#1 http://WEB/shown.tar
      #1 downloading BYTES / BYTES done
      #1 DONE TIME"
    `);
    expect(await plain(`${address}/shown.tar`)).toMatchInlineSnapshot(`
      "#1 http://WEB/shown.tar
      #1 CACHED"
    `);
    rmSync(join(store.root, 'sources'), { recursive: true });
    expect(await plain(`${git.url}/r.git#v1`)).toMatchInlineSnapshot(`
      "#1 [internal] load git source http://GIT/r.git
      #1 receiving objects BYTES done
      #1 DONE TIME"
    `);
    rmSync(join(store.root, 'sources'), { recursive: true });
    const onTerminal = await slipwayInTerminal(['build', `${web.url}/shown.tar`], { root: store.root });
    expect(onTerminal.output).toMatch(
      /=> http:\/\/\S+\/shown\.tar .*\r\n => => downloading [\d.]+[kM]?B \/ [\d.]+[kM]?B/,
    );
  });

  it('import fetches a file system', async () => {
    web.file('/rootfs', tars.get('gzip')!);
    const url = `${web.url}/rootfs`;
    const [said, id] = (await store.ok(['import', url.replace('://', '://user:pass@'), 'from/web:1'])).split(
      '\n',
    );
    expect(said).toBe(`Downloading from ${url}`);
    expect(await store.ok(['image', 'inspect', '-f', '{{.Id}} {{.Comment}}', 'from/web:1'])).toBe(
      `${id} Imported from ${url}\n`,
    );
    const { exitCode, stderr } = await store.run(['import', `${web.url}/nothing`]);
    expect([exitCode, stderr.replace(web.url, 'WEB')]).toMatchInlineSnapshot(`
      [
        1,
        "Error: cannot fetch WEB/nothing: invalid response status 404
      ",
      ]
    `);
    const terminal = await slipwayInTerminal(['import', url], { root: store.root });
    expect(terminal.output).toMatch(/^Downloading from http.*\r\n[\s\S]*sha256:[0-9a-f]{64}\r\n$/);
  });

  it('graph shows named contexts without opening them', async () => {
    const contexts = ['made=target:/nowhere#x', 'repo=https://u:p@nowhere.invalid/r.git', 'dir=/nowhere'];
    const flags = contexts.flatMap((text) => ['--build-context', text]);
    const folder = store.context('drawn', {
      Dockerfile: 'FROM made\nCOPY --from=repo g /\nCOPY --from=dir f /\n',
    });
    expect(await store.ok(['graph', ...flags, folder])).toMatchInlineSnapshot(`
      "stage-0 (target)
      ├─ n0 FROM target:/nowhere#x
      ├─ n1 COPY --from=repo g /
      │     ◀─ context repo: g → /
      └─ n2 COPY --from=dir f /
            ◀─ context dir: f → /
      "
    `);
  });

  it('says what is wrong without a credential', async () => {
    const secret = 's3cr3t';
    const address = `${git.url.replace('//', `//me:${secret}@`)}/none.git`;
    const missing = await errorOf([address]);
    expect(missing).toBe(
      "ERROR: failed to build: failed to solve: failed to fetch remote GIT/none.git: repository 'GIT/none.git/' not found\n",
    );
    expect(await errorOf([`${git.url}/r.git?what=1`])).toContain('unexpected query "what"');
    expect(await errorOf([`${web.url.replace('//', `//me:${secret}@`)}/none?token=${secret}`])).toBe(
      'ERROR: failed to build: failed to solve: cannot fetch WEB/none?token=xxxxx: invalid response status 404\n',
    );
    expect(await errorOf(['-f', 'none', `${git.url}/r.git`])).toContain(
      'failed to read dockerfile: open none',
    );
    const { stderr } = await store.run(['build', address, '--progress=plain']);
    expect(stderr).not.toContain(secret);
  });

  it('Ctrl-C while something is fetched ends it, and leaves nothing', async () => {
    const controls = {
      clone: `${git.url}/r.git`,
      download: `${web.url}/slow`,
    };
    for (const context of Object.values(controls)) {
      const began = new Promise<void>((resolve) => {
        git.intercept = () => {
          resolve();
          return true;
        };
        web.answers.set('/slow', (_, response) => {
          response.write('half');
          resolve();
        });
      });
      const child = startSlipway(['build', context], { root: store.root, detached: true });
      const result = ended(child);
      await began;
      process.kill(-child.pid!, 'SIGINT');
      expect(await result).toMatchObject({ exitCode: 130 });
      await expect.poll(() => leftovers(store.root), { timeout: 5_000, interval: 50 }).toEqual([]);
    }
    git.intercept = undefined;
    const unfinished = execFileSync('find', ['sources', '-name', 'tmp_*', '-o', '-name', 'body'], {
      cwd: store.root,
      encoding: 'utf8',
    });
    expect(unfinished).toBe('');
    expect((await store.run(['system', 'check'])).exitCode).toBe(0);
  });

  it('a killed build leaves nothing that disturbs the next', async () => {
    const began = new Promise<void>((resolve) => {
      git.intercept = (request) => {
        if (request.method !== 'POST') return false;
        resolve();
        return true;
      };
    });
    const child = startSlipway(['build', `${git.url}/r.git#refs/tags/v1`], {
      root: join(store.root, '../killed'),
      cwd: join(store.root, '..'),
    });
    child.stdin?.end();
    await began;
    child.kill('SIGKILL');
    await once(child, 'close');
    git.intercept = undefined;
    const to = join(store.root, '../out-killed');
    const { exitCode } = await store.run([
      '--root',
      join(store.root, '../killed'),
      'build',
      '-o',
      to,
      `${git.url}/r.git#v1:sub`,
    ]);
    expect([exitCode, readFileSync(join(to, 'sub/g'), 'utf8')]).toEqual([0, 'g']);
  });
});
