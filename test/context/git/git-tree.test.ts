import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import type { GitLocation } from '../../../src/context/git/git-location.ts';
import type { NamedBy } from '../../../src/context/git/git-remote.ts';
import { findCommit, type GitTree } from '../../../src/context/git/git-tree.ts';
import { parseGitLocation, parseLocalRepository } from '../../../src/context/git/parse-git-location.ts';
import type { RemoteAccess } from '../../../src/context/remote-access.ts';
import type { SlipwayError } from '../../../src/errors/index.ts';
import { suiteFolder } from '../../support/folders.ts';
import { freePort, git, httpGit, makeRepository, sshServer, type TestRepository } from '../../support/git.ts';
import { describeWith, program } from '../../support/need.ts';
import { secretsOf, testAccess } from '../../support/remote.ts';
import { testAgent } from '../../support/ssh.ts';

const needs = [program('git')];

describeWith({ needs }, 'files of git repositories', () => {
  const folder = suiteFolder('shared');
  const served = (name: string): string => join(folder.path, 'served', name);
  const server = httpGit(() => join(folder.path, 'served'));
  let work: TestRepository;
  let commits: { first: string; second: string; feature: string };

  beforeAll(() => {
    work = makeRepository(join(folder.path, 'work'));
    const first = work.commit({ 'a.txt': 'one', '!run.sh': '#!/bin/sh\n', 'sub/deep/d.txt': 'deep' });
    work.git('tag', 'light');
    work.git('tag', '-a', '-m', 'noted', 'noted');
    const second = work.commit({ 'a.txt': 'two' });
    work.git('checkout', '-q', '-b', 'feature/x');
    const feature = work.commit({ 'f.txt': 'feature' });
    work.git('checkout', '-q', 'main');
    // A branch and a tag of one name: the branch counts.
    work.git('branch', 'both', second);
    work.git('tag', 'both', first);
    work.publish(served('r.git'));
    commits = { first, second, feature };
  });

  const locationOf = (address: string): GitLocation =>
    (parseLocalRepository(address, folder.path) ?? parseGitLocation(address))!;
  const open = async (
    address: string,
    access: RemoteAccess = testAccess(folder.path),
    namedBy: NamedBy = 'user',
  ): Promise<GitTree> => (await findCommit(locationOf(address), access, namedBy)).open();
  const failure = async (opening: Promise<unknown>): Promise<SlipwayError> =>
    opening.then(
      () => {
        throw new Error('it did not fail');
      },
      (error) => error as SlipwayError,
    );
  const read = (tree: GitTree, name: string): string => readFileSync(join(tree.root, name), 'utf8');

  test('a default branch, branches, tags, refs and commit ids, whole and short', async () => {
    const access = testAccess(folder.path);
    const address = `${server.url}/r.git`;
    const { first, second, feature } = commits;
    const wanted: [string, string][] = [
      ['', second],
      ['#main', second],
      ['#feature/x', feature],
      ['#light', first],
      ['#noted', first],
      ['#refs/tags/noted', first],
      ['#tags/light', first],
      ['?tag=noted', first],
      ['?branch=feature/x', feature],
      ['#both', second],
      ['?tag=both', first],
      ['#HEAD', second],
      [`#${first}`, first],
      [`#${first.slice(0, 8)}`, first],
      [`?ref=main&checksum=${second.slice(0, 10)}`, second],
      [`?commit=${first}`, first],
      [`?fetch-by-commit=1&checksum=${feature}`, feature],
    ];
    const found: [string, string][] = [];
    for (const [suffix] of wanted) {
      const tree = await open(address + suffix, access);
      found.push([suffix, tree.commit]);
      tree.release();
    }
    expect(found).toEqual(wanted);
  });

  test('only one commit is fetched, and only the directory that is needed is written', async () => {
    const access = testAccess(folder.path);
    const tree = await open(`${server.url}/r.git#main:sub`, access);
    expect([readdirSync(tree.root), read(tree, 'deep/d.txt')]).toEqual([['deep'], 'deep']);
    expect(readdirSync(join(tree.root, '..'))).toEqual(['sub']);
    const kept = join(access.temporaryDirectory, '../sources/repository');
    const repository = join(kept, readdirSync(kept).find((name) => !name.endsWith('.lock'))!);
    expect(git(repository, 'rev-list', '--all')).toBe(commits.second);
  });

  test('files have the modes that git knows, whatever the umask, and no .git', async () => {
    const before = process.umask(0o077);
    try {
      const tree = await open(served('r.git'));
      const modes = execFileSync('find', ['.', '-printf', '%P %y %m\n'], {
        cwd: tree.root,
        encoding: 'utf8',
      });
      expect(modes.trim().split('\n').sort()).toEqual([
        'a.txt f 644',
        'd 755',
        'run.sh f 755',
        'sub d 755',
        'sub/deep d 755',
        'sub/deep/d.txt f 644',
      ]);
    } finally {
      process.umask(before);
    }
  });

  test('a commit is kept: an id needs no server the second time, a branch one question', async () => {
    const access = testAccess(folder.path);
    const address = `${server.url}/r.git`;
    (await open(address, access)).release();
    server.requests.length = 0;
    const again = await open(address, access);
    expect(
      server.requests.every(
        ({ path }) =>
          !path.includes('git-upload-pack') ||
          path.includes('info/refs') ||
          path.endsWith('/git-upload-pack'),
      ),
    ).toBe(true);
    expect(server.requests.length).toBeLessThanOrEqual(2);
    again.release();
    server.requests.length = 0;
    const pinned = await open(`${address}#${commits.second}`, access);
    expect([pinned.commit, server.requests]).toEqual([commits.second, []]);
  });

  test('a branch that moves is seen', async () => {
    const access = testAccess(folder.path);
    const moving = makeRepository(join(folder.path, 'moving'));
    moving.commit({ a: '1' });
    moving.publish(served('moving.git'));
    const before = await open(`${server.url}/moving.git`, access);
    moving.commit({ a: '2' });
    moving.publish(served('moving.git'));
    const after = await open(`${server.url}/moving.git`, access);
    expect([read(before, 'a'), read(after, 'a')]).toEqual(['1', '2']);
  });

  test('two at once fetch a repository once, and get the same directory', async () => {
    const access = testAccess(folder.path);
    server.requests.length = 0;
    const trees = await Promise.all(
      [1, 2, 3].map(() => open(`${server.url}/r.git#${commits.feature}`, access)),
    );
    expect(new Set(trees.map((tree) => tree.root)).size).toBe(1);
    const fetches = server.requests.filter(({ path }) => path.includes('info/refs'));
    expect(fetches).toHaveLength(1);
  });

  test('checksums must be those of the commit or of its tag', async () => {
    const tag = work.git('rev-parse', 'noted');
    const address = `${server.url}/r.git`;
    expect((await open(`${address}?ref=noted&checksum=${tag.slice(0, 7)}`)).commit).toBe(commits.first);
    const error = await failure(open(`${address}?ref=main&checksum=${commits.first}`));
    expect([error.kind, error.code]).toEqual(['invalid', 'GIT_CHECKSUM_MISMATCH']);
    expect(error.message).toContain(`expected checksum to match ${commits.first}, got ${commits.second}`);
    expect((await failure(open(`${address}?checksum=xyz!`))).code).toBe('GIT_REF_INVALID');
  });

  test('what is not there', async () => {
    const codes = async (address: string): Promise<unknown> => {
      const { kind, code, message } = await failure(open(address));
      return [kind, code, message.replaceAll(server.url, 'URL')];
    };
    expect(await codes(`${server.url}/r.git#nowhere`)).toEqual([
      'not-found',
      'GIT_REF_NOT_FOUND',
      'repository does not contain ref nowhere: URL/r.git',
    ]);
    expect(await codes(`${server.url}/r.git#abcdef12`)).toEqual([
      'not-found',
      'GIT_REF_NOT_FOUND',
      'repository does not contain ref abcdef12: URL/r.git',
    ]);
    expect(await codes(`${server.url}/r.git#main:a.txt`)).toEqual([
      'not-found',
      'GIT_SUBDIR_NOT_FOUND',
      'invalid subdir a.txt: the repository has no such directory',
    ]);
    expect(await codes(`${server.url}/none.git`)).toEqual([
      'not-found',
      'GIT_FAILED',
      "failed to fetch remote URL/none.git: repository 'URL/none.git/' not found",
    ]);
    makeRepository(join(folder.path, 'empty')).publish(served('empty.git'));
    expect(await codes(`${server.url}/empty.git`)).toEqual([
      'not-found',
      'GIT_REF_NOT_FOUND',
      'repository URL/empty.git has no default branch',
    ]);
  });

  test('git that is not installed is named by its package', async () => {
    const error = await failure(
      open(served('r.git'), testAccess(folder.path, { env: { PATH: '/nonexistent' } })),
    );
    expect([error.kind, error.code, error.hint]).toEqual([
      'unavailable',
      'GIT_MISSING',
      'Install the package git.',
    ]);
  });

  test('a .git that is kept has the one commit, its branch and the address without credentials', async () => {
    const address = `${server.url.replace('//', '//user:secret@')}/r.git?keep-git-dir=1#noted`;
    const roots: string[] = [];
    for (const access of [testAccess(folder.path), testAccess(folder.path)]) {
      const { root } = await open(address, access);
      roots.push(root);
      expect(git(root, 'log', '--format=%H %s %D')).toBe(`${commits.first} commit grafted, HEAD, tag: noted`);
      expect(git(root, 'config', 'remote.origin.url')).toBe(`${server.url}/r.git`);
      const kept = execFileSync('sh', ['-c', 'grep -rl secret .git || true'], {
        cwd: root,
        encoding: 'utf8',
      });
      expect([kept, git(root, 'status', '--porcelain')]).toEqual(['', '']);
    }
  });

  test('times are those of the checkout, or of the commit', async () => {
    const tree = await open(`${server.url}/r.git?mtime=commit`);
    const times = ['', 'a.txt', 'sub/deep'].map((name) =>
      statSync(join(tree.root, name)).mtime.toISOString(),
    );
    expect(new Set(times)).toEqual(new Set(['2024-01-02T03:04:05.000Z']));
    const now = await open(`${server.url}/r.git`);
    expect(statSync(join(now.root, 'a.txt')).mtimeMs).toBeGreaterThan(Date.parse('2024-02-01'));
  });

  test('attributes of the whole repository hold in a directory of it', async () => {
    const repository = makeRepository(join(folder.path, 'attributes'));
    repository.commit({ '.gitattributes': '*.txt text eol=crlf\n', 'sub/a.txt': 'x\n', 'sub/b.bin': 'x\n' });
    repository.publish(served('attributes.git'));
    const tree = await open(`${served('attributes.git')}#:sub`);
    expect([read(tree, 'a.txt'), read(tree, 'b.bin')]).toEqual(['x\r\n', 'x\n']);
  });

  test('names that are not UTF-8 arrive as they are', async () => {
    const repository = makeRepository(join(folder.path, 'bytes'));
    execFileSync('sh', ['-c', "mkdir d; printf x > \"d/$(printf 'a\\377')\"; printf y > 'd/new\nline'"], {
      cwd: repository.path,
    });
    repository.commit({});
    repository.publish(served('bytes.git'));
    const names = (root: string): string[] => readdirSync(root, { encoding: 'latin1' }).sort();
    expect(names((await open(`${served('bytes.git')}#:d`)).root)).toEqual(['a\xff', 'new\nline']);
    expect(names(join((await open(served('bytes.git'))).root, 'd'))).toEqual(['a\xff', 'new\nline']);
  });

  test('repositories with SHA-256 ids', async () => {
    const repository = makeRepository(join(folder.path, 'sha256'), { format: 'sha256' });
    const commit = repository.commit({ a: 'sha256' });
    repository.publish(served('sha256.git'));
    const access = testAccess(folder.path);
    const tree = await open(`${served('sha256.git')}?keep-git-dir=true`, access);
    expect([tree.commit, read(tree, 'a')]).toEqual([commit, 'sha256']);
    expect((await open(`${served('sha256.git')}#${commit}`, access)).commit).toBe(commit);
  });

  describe('submodules', () => {
    beforeAll(() => {
      const inner = makeRepository(join(folder.path, 'inner'));
      inner.commit({ 'inner.txt': 'inner' });
      inner.publish(served('inner.git'));
      const middle = makeRepository(join(folder.path, 'middle'));
      middle.commit({ 'middle.txt': 'middle' });
      middle.git('submodule', '--quiet', 'add', served('inner.git'), 'in/ner');
      middle.git('config', '-f', '.gitmodules', 'submodule.in/ner.url', '../inner.git');
      middle.commit({});
      middle.publish(served('middle.git'));
      const outer = makeRepository(join(folder.path, 'outer'));
      outer.git('submodule', '--quiet', 'add', served('middle.git'), 'mods/middle');
      outer.git('config', '-f', '.gitmodules', 'submodule.mods/middle.url', '../middle.git');
      outer.commit({ 'outer.txt': 'outer' });
      outer.publish(served('outer.git'));
    });

    it('come along, those in them too, from addresses relative to their parents', async () => {
      const tree = await open(`${server.url}/outer.git`);
      expect([
        read(tree, 'outer.txt'),
        read(tree, 'mods/middle/middle.txt'),
        read(tree, 'mods/middle/in/ner/inner.txt'),
      ]).toEqual(['outer', 'middle', 'inner']);
      const links = execFileSync('find', ['.', '-name', '.git'], { cwd: tree.root, encoding: 'utf8' });
      expect(links).toBe('');
    });

    it('stay away when they are not wanted, or lie outside of what is', async () => {
      const without = await open(`${server.url}/outer.git?submodules=0`);
      expect(readdirSync(join(without.root, 'mods/middle'))).toEqual([]);
      server.requests.length = 0;
      const other = await open(`${server.url}/middle.git#:in`);
      expect(readdirSync(join(other.root, 'ner'))).toEqual(['inner.txt']);
    });
  });

  test('a server that gives neither single commits nor shallow histories', async () => {
    const dumb = makeRepository(join(folder.path, 'dumb'));
    const first = dumb.commit({ a: '1' });
    dumb.commit({ a: '2' });
    dumb.publish(served('dumb.git'));
    git(served('dumb.git'), 'config', 'uploadpack.allowAnySHA1InWant', 'false');
    git(served('dumb.git'), 'update-server-info');
    const access = testAccess(folder.path);
    // Without git's program behind it a repository is only files.
    server.intercept = (request, response) => {
      if (!request.url!.startsWith('/dumb.git')) return false;
      const path = join(folder.path, 'served', decodeURIComponent(request.url!.split('?')[0]!));
      try {
        response.end(readFileSync(path));
      } catch {
        response.writeHead(404).end();
      }
      return true;
    };
    try {
      expect((await open(`${server.url}/dumb.git#${first}`, access)).commit).toBe(first);
      expect(read(await open(`${server.url}/dumb.git`, access), 'a')).toBe('2');
    } finally {
      server.intercept = undefined;
    }
  });

  test('git://', async () => {
    const port = await freePort();
    const daemon = spawn(
      'git',
      [
        'daemon',
        '--reuseaddr',
        '--listen=127.0.0.1',
        `--port=${port}`,
        '--export-all',
        '--verbose',
        `--base-path=${folder.path}/served`,
      ],
      { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    try {
      await once(daemon.stderr!, 'data');
      daemon.stderr!.resume();
      expect(read(await open(`git://127.0.0.1:${port}/r.git#feature/x`), 'f.txt')).toBe('feature');
    } finally {
      process.kill(-daemon.pid!, 'SIGKILL');
    }
  });

  describe('credentials', () => {
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
    const guarded = async (accepted: string, run: () => Promise<unknown>): Promise<unknown> => {
      server.requests.length = 0;
      server.intercept = (request, response) => {
        if (request.headers.authorization === accepted) return false;
        response.setHeader('www-authenticate', 'Basic realm="x"');
        response.writeHead(401).end();
        return true;
      };
      try {
        return await run();
      } finally {
        server.intercept = undefined;
      }
    };
    const withSecrets = (values: Record<string, string>): RemoteAccess =>
      testAccess(folder.path, { secret: secretsOf(values) });

    it.each(['user', 'dockerfile'] as const)('of secrets and of addresses let in (%s)', async (namedBy) => {
      const address = `${server.url}/r.git`;
      const host = server.url.replace('http://', '');
      const opened = async (
        accepted: string,
        values: Record<string, string>,
        from = address,
      ): Promise<string> =>
        ((await guarded(accepted, () => open(from, withSecrets(values), namedBy))) as GitTree).commit;
      const { second } = commits;
      expect(await opened(basic('x-access-token:t0ken'), { GIT_AUTH_TOKEN: 't0ken\n' })).toBe(second);
      expect(
        await opened(basic('x-access-token:own'), {
          GIT_AUTH_TOKEN: 'no',
          [`GIT_AUTH_TOKEN.${host}`]: 'own',
        }),
      ).toBe(second);
      expect(await opened(basic('x-access-token:own'), { 'GIT_AUTH_TOKEN.127.0.0.1': 'own' })).toBe(second);
      expect(await opened('Bearer h3ader', { GIT_AUTH_HEADER: 'Bearer h3ader', GIT_AUTH_TOKEN: 'no' })).toBe(
        second,
      );
      expect(await opened(basic('me:p%4$s'), {}, address.replace('//', '//me:p%254%24s@'))).toBe(second);
    });

    it('of the user are used for what the user names, and for nothing else', async () => {
      const config = join(mkdtempSync(join(folder.path, 'home-')), 'config');
      writeFileSync(
        config,
        '[credential]\n\thelper = "!f() { echo username=u; echo password=own-way; }; f"\n',
      );
      const access = (): RemoteAccess =>
        testAccess(folder.path, { env: { ...process.env, GIT_CONFIG_GLOBAL: config } });
      const address = `${server.url}/r.git`;
      const tree = (await guarded(basic('u:own-way'), () => open(address, access()))) as GitTree;
      expect(tree.commit).toBe(commits.second);
      const refused = (await guarded(basic('u:own-way'), () =>
        failure(open(address, access(), 'dockerfile')),
      )) as SlipwayError;
      expect([refused.kind, refused.code, refused.hint]).toEqual([
        'denied',
        'GIT_FAILED',
        'Give a token with --secret id=GIT_AUTH_TOKEN,env=NAME.',
      ]);
      expect(server.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    });

    it('stand in no error, argument or file', async () => {
      const secret = 's3cr3t-word';
      const access = withSecrets({ GIT_AUTH_TOKEN: secret });
      const seen = new Set<string>();
      const error = (await guarded('never', async () => {
        const { intercept } = server;
        server.intercept = (request, response) => {
          const ps = execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null || true'], {
            encoding: 'latin1',
            maxBuffer: 1 << 26,
          });
          if (ps.includes(secret)) seen.add('an argument');
          return intercept!(request, response);
        };
        return failure(open(`${server.url}/r.git`, access));
      })) as SlipwayError;
      const told = JSON.stringify([
        error.message,
        error.hint,
        String((error.cause as Error).stack),
        (error.cause as { stderr?: string }).stderr,
      ]);
      if (told.includes(secret)) seen.add('an error');
      const other = (await guarded('never', () =>
        failure(open(`${server.url.replace('//', `//u:${secret}@`)}/r.git`, access)),
      )) as SlipwayError;
      if (`${other.message} ${(other.cause as { stderr?: string }).stderr}`.includes(secret))
        seen.add('the error of an address');
      const files = execFileSync('sh', ['-c', `grep -rl ${secret} . || true`], {
        cwd: join(access.temporaryDirectory, '..'),
        encoding: 'utf8',
      });
      if (files !== '') seen.add(files);
      expect([...seen]).toEqual([]);
      expect([error.kind, other.kind]).toEqual(['denied', 'denied']);
    });

    it('go to no host that the repository leads to', async () => {
      const other = `http://localhost:${new URL(server.url).port}`;
      const values = { GIT_AUTH_TOKEN: 'tok', GIT_AUTH_HEADER: 'Bearer tok' };
      for (const id of ['GIT_AUTH_TOKEN', 'GIT_AUTH_HEADER'] as const) {
        server.requests.length = 0;
        const strangers: (string | undefined)[] = [];
        server.intercept = (request, response) => {
          if (request.headers.host?.startsWith('localhost')) {
            strangers.push(request.headers.authorization);
            response.setHeader('www-authenticate', 'Basic realm="x"');
            response.writeHead(401).end();
          } else response.writeHead(302, { location: `${other}${request.url}` }).end();
          return true;
        };
        const error = await failure(open(`${server.url}/r.git`, withSecrets({ [id]: values[id] })));
        server.intercept = undefined;
        expect(strangers.filter((authorization) => authorization !== undefined)).toEqual([]);
        expect(['denied', 'unavailable']).toContain(error.kind);
      }
    });
  });

  describeWith(
    { needs: [program('sshd', 'openssh-server'), program('ssh-keygen', 'openssh-client')] },
    'ssh',
    () => {
      const ssh = sshServer();
      const agent = testAgent();
      const scp = (): string => `${ssh.user}@127.0.0.1:${served('r.git')}`;

      it('by address and in the short form, with the user`s own key', async () => {
        const access = testAccess(folder.path, { env: { ...process.env, GIT_SSH_COMMAND: ssh.command } });
        const long = `ssh://${ssh.user}@127.0.0.1:${ssh.port}${served('r.git')}#feature/x`;
        expect((await open(long, access)).commit).toBe(commits.feature);
        expect((await open(`${scp()}#light:sub`, access)).commit).toBe(commits.first);
      });

      it('says what is wrong with a key or a host', async () => {
        const without = { ...process.env, GIT_SSH_COMMAND: ssh.commandWithoutKey, SSH_AUTH_SOCK: undefined };
        const denied = await failure(open(scp(), testAccess(folder.path, { env: without })));
        expect([denied.kind, denied.message]).toEqual([
          'denied',
          expect.stringContaining(`failed to fetch remote ${scp()}: `),
        ]);
        expect(denied.message).toMatch(/Permission denied/);
        const unknown = { ...process.env, GIT_SSH_COMMAND: ssh.command.replace('/known', '/unknown') };
        const host = await failure(open(scp(), testAccess(folder.path, { env: unknown })));
        expect([host.kind, host.hint]).toEqual(['denied', expect.stringContaining('known_hosts')]);
      });

      it('from a Dockerfile only with the agent that was handed out', async () => {
        const env = { ...process.env, GIT_SSH_COMMAND: ssh.commandWithoutKey, SSH_AUTH_SOCK: agent.socket };
        const refused = await failure(open(scp(), testAccess(folder.path, { env }), 'dockerfile'));
        expect([refused.kind, refused.code]).toEqual(['denied', 'GIT_SSH_NOT_GIVEN']);
        execFileSync('ssh-add', ['-q', ssh.key], { env: { ...process.env, SSH_AUTH_SOCK: agent.socket } });
        const given = testAccess(folder.path, { env, sshAgent: async () => agent.socket });
        expect((await open(scp(), given, 'dockerfile')).commit).toBe(commits.second);
      });
    },
  );

  test('a cancel ends git at once and leaves nothing', async () => {
    const controller = new AbortController();
    const access = testAccess(folder.path, { signal: controller.signal });
    server.intercept = () => {
      controller.abort();
      return true;
    };
    try {
      const error = await failure(open(`${server.url}/r.git`, access));
      expect(error.kind).toBe('canceled');
    } finally {
      server.intercept = undefined;
    }
    const during = new AbortController();
    const other = testAccess(folder.path, { signal: during.signal });
    server.intercept = (request) => {
      if (request.method !== 'POST' || server.requests.length < 3) return false;
      during.abort();
      return true;
    };
    server.requests.length = 0;
    try {
      expect((await failure(open(`${server.url}/r.git`, other))).kind).toBe('canceled');
    } finally {
      server.intercept = undefined;
    }
    other.kept.close();
    const left = execFileSync('sh', ['-c', 'find . -name "tmp_*" -o -path "*checkout/*"'], {
      cwd: join(other.temporaryDirectory, '..'),
      encoding: 'utf8',
    });
    expect(left).toBe('');
  });
});
