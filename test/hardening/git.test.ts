import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { findCommit, type GitTree } from '../../src/context/git/git-tree.ts';
import { parseGitLocation, parseLocalRepository } from '../../src/context/git/parse-git-location.ts';
import type { RemoteAccess } from '../../src/context/remote-access.ts';
import type { SlipwayError } from '../../src/errors/index.ts';
import { suiteFolder } from '../support/folders.ts';
import { git, makeRepository, type TestRepository } from '../support/git.ts';
import { describeWith, program } from '../support/need.ts';
import { testAccess } from '../support/remote.ts';

describeWith({ needs: [program('git')] }, 'hostile git repositories do nothing', () => {
  const folder = suiteFolder('shared');
  let count = 0;
  let home: string;
  let canary: string;
  let repository: TestRepository;
  let access: RemoteAccess;
  beforeEach(() => {
    home = join(folder.path, String(count++));
    mkdirSync(home);
    // What a payload would leave.
    canary = join(home, 'canary');
    repository = makeRepository(join(home, 'work'));
    repository.commit({ a: 'a' });
    access = testAccess(home);
  });

  const touch = (): string => `touch ${canary}`;
  const published = (): string => {
    const path = join(home, 'served.git');
    repository.publish(path);
    return path;
  };
  const open = async (suffix = '', path = published()): Promise<GitTree> => {
    const location = parseLocalRepository(path + suffix, home)!;
    return (await findCommit(location, access, 'user')).open();
  };
  const codeOf = async (opening: Promise<unknown>): Promise<string> =>
    opening.then(
      () => 'it was opened',
      (error) => (error as SlipwayError).code,
    );
  const safe = (): void => expect(existsSync(canary)).toBe(false);
  /** An object made by hand: git itself would not add such names. */
  const object = (type: string, content: Buffer): string =>
    execFileSync('git', ['hash-object', '-t', type, '-w', '--literally', '--stdin'], {
      cwd: repository.path,
      input: content,
      encoding: 'utf8',
    }).trim();
  const tree = (...entries: [mode: string, name: string, id: string][]): string =>
    object(
      'tree',
      Buffer.concat(
        entries.map(([mode, name, id]) =>
          Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]),
        ),
      ),
    );
  const head = (treeId: string): void => {
    const commit = repository.git('commit-tree', treeId, '-m', 'by hand');
    repository.git('update-ref', 'refs/heads/main', commit);
  };

  test('hooks of the repository and of the user', async () => {
    const hooks = join(home, 'hooks');
    mkdirSync(hooks);
    for (const name of ['post-checkout', 'reference-transaction', 'post-index-change', 'post-merge']) {
      writeFileSync(join(hooks, name), `#!/bin/sh\n${touch()}\n`);
      chmodSync(join(hooks, name), 0o755);
    }
    const config = join(home, 'config');
    writeFileSync(config, `[core]\n\thooksPath = ${hooks}\n[init]\n\ttemplateDir = ${home}/template\n`);
    mkdirSync(join(home, 'template'));
    execFileSync('cp', ['-r', hooks, join(home, 'template/hooks')]);
    access = testAccess(home, {
      env: { ...process.env, GIT_CONFIG_GLOBAL: config, GIT_TEMPLATE_DIR: join(home, 'template') },
    });
    const path = published();
    execFileSync('cp', ['-r', `${hooks}/.`, join(path, 'hooks')]);
    const { root } = await open('?keep-git-dir=1', path);
    expect([readdirSync(root).sort(), existsSync(join(root, '.git/hooks'))]).toEqual([['.git', 'a'], false]);
    safe();
  });

  test('filters, LFS and a file system monitor in configurations', async () => {
    const config = join(home, 'config');
    writeFileSync(
      config,
      ['evil', 'lfs']
        .map(
          (name) =>
            `[filter "${name}"]\n\tsmudge = ${touch()}; cat\n\tprocess = ${touch()}\n\trequired = true\n`,
        )
        .join('') +
        `[core]\n\tfsmonitor = ${touch()}\n\tattributesFile = ${home}/attributes\n\tsshCommand = ${touch()}\n\tpager = ${touch()}\n`,
    );
    writeFileSync(join(home, 'attributes'), '* filter=evil\n');
    repository.commit({
      '.gitattributes': '* filter=evil\n*.bin filter=lfs diff=lfs merge=lfs -text\n',
      'x.bin': 'pointer',
      y: 'y',
    });
    const env = { ...process.env, GIT_CONFIG_GLOBAL: config };
    access = testAccess(home, { env });
    const { root } = await open('?keep-git-dir=1');
    expect([readFileSync(join(root, 'x.bin'), 'utf8'), readFileSync(join(root, 'y'), 'utf8')]).toEqual([
      'pointer',
      'y',
    ]);
    safe();
  });

  test('programs in the configuration of the repository itself', async () => {
    const path = published();
    for (const [name, value] of [
      ['uploadpack.packObjectsHook', touch()],
      ['core.fsmonitor', touch()],
      ['core.sshCommand', touch()],
      ['core.hooksPath', home],
      ['remote.origin.uploadpack', touch()],
      ['include.path', `${home}/more`],
    ])
      git(path, 'config', name!, value!);
    await open('', path);
    safe();
  });

  test.each([
    ['an option as address', { url: '-u./payload', path: 'm' }],
    ['an option behind a protocol', { url: 'ssh://-oProxyCommand=touch${IFS}CANARY/x', path: 'm' }],
    ['a command as address', { url: 'ext::sh -c touch% CANARY', path: 'm' }],
    ['a file of this machine', { url: 'file:///etc', path: 'm' }],
    ['a path of this machine', { url: '/etc', path: 'm' }],
    ['a path beside the repository', { url: '../secret.git', path: 'm' }],
    ['a command to update with', { url: 'ext::x', update: '!touch CANARY', path: 'm' }],
    ['line ends in the address', { url: 'git://127.0.0.1:1/x\nhost=y', path: 'm' }],
    ['no address', { path: 'm' }],
  ])('a submodule with %s', async (_, settings) => {
    makeRepository(join(home, 'secret')).publish(join(home, 'secret.git'));
    const file = join(repository.path, '.gitmodules');
    for (const [key, value] of Object.entries(settings))
      git(home, 'config', '-f', file, `submodule.--upload-pack=x.${key}`, value.replace('CANARY', canary));
    repository.git('add', '.gitmodules');
    repository.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},m`);
    repository.git('commit', '-q', '-m', 'm');
    expect(await codeOf(open())).toBe('GIT_SUBMODULE_INVALID');
    safe();
  });

  test('a .gitmodules that is a link', async () => {
    head(
      tree(
        ['120000', '.gitmodules', object('blob', Buffer.from('/etc/passwd'))],
        ['160000', 'm', '1'.repeat(40)],
      ),
    );
    expect(await codeOf(open())).toBe('GIT_CHECKOUT_FAILED');
  });

  test.each(['.git', '.GIT', 'git~1', '.g\u200cit', '..'])('an entry called %j', async (name) => {
    const outside = join(home, 'outside');
    mkdirSync(outside);
    const link = object('blob', Buffer.from(outside));
    const payload = object('blob', Buffer.from(`[core]\n\tfsmonitor = ${touch()}\n`));
    for (const entry of [
      ['120000', name, link],
      ['40000', name, tree(['100644', 'config', payload])],
    ] as [string, string, string][]) {
      head(tree(entry));
      expect(await codeOf(open())).toBe('GIT_CHECKOUT_FAILED');
    }
    expect(readdirSync(outside)).toEqual([]);
    safe();
  });

  test('a link and a directory of the same name', async () => {
    const outside = join(home, 'outside');
    mkdirSync(outside);
    const payload = object('blob', Buffer.from('x'));
    head(
      tree(
        ['120000', 'd', object('blob', Buffer.from(outside))],
        ['40000', 'd', tree(['100755', 'payload', payload])],
      ),
    );
    await codeOf(open());
    expect(readdirSync(outside)).toEqual([]);
  });

  test.each(['../../../../../../etc', '..', '/etc', 'link', 'link/deeper', 'a', '-x', ':/', 'none'])(
    'a directory %j outside of what is there',
    async (subdir) => {
      symlinkSync('/etc', join(repository.path, 'link'));
      repository.commit({});
      const opened = open(`?subdir=${encodeURIComponent(subdir)}`);
      // `..` stops at the root, as with Docker.
      if (subdir === '..') expect(readdirSync((await opened).root).sort()).toEqual(['a', 'link']);
      else expect(await codeOf(opened)).toBe('GIT_SUBDIR_NOT_FOUND');
    },
  );

  test('addresses that are commands or options', async () => {
    for (const address of [
      `ext::sh -c touch% ${canary}`,
      `-u${touch()}`,
      `--upload-pack=${touch()}`,
      `ssh://-oProxyCommand=touch%20${canary}/x.git`,
      `ssh://x;touch ${canary}@127.0.0.1/x.git`,
      'fd::7',
    ]) {
      expect(parseLocalRepository(address, home)).toBeUndefined();
      expect(parseGitLocation(address)).toBeUndefined();
    }
    for (const ref of [
      '--upload-pack=x',
      '-x',
      '+refs/heads/*:refs/heads/*',
      'a..b',
      'a b',
      'x:y',
      '*',
      '@{-1}',
    ])
      expect(await codeOf(open(`?ref=${encodeURIComponent(ref)}`))).toBe('GIT_REF_INVALID');
    safe();
  });

  test('variables that point git elsewhere', async () => {
    const other = makeRepository(join(home, 'other'));
    other.commit({ stolen: 'x' });
    const env = {
      ...process.env,
      GIT_DIR: join(home, 'other/.git'),
      GIT_WORK_TREE: join(home, 'other'),
      GIT_INDEX_FILE: join(home, 'other/.git/index'),
      GIT_OBJECT_DIRECTORY: join(home, 'other/.git/objects'),
      GIT_TRACE: join(home, 'trace'),
      GIT_EXTERNAL_DIFF: touch(),
      GIT_PROXY_COMMAND: touch(),
    };
    access = testAccess(home, { env });
    expect(readdirSync((await open()).root)).toEqual(['a']);
    expect([other.git('status', '--porcelain'), existsSync(join(home, 'trace'))]).toEqual(['', false]);
    safe();
  });

  test('a tree that names itself ten times on each of ten levels', async () => {
    let level = tree(['100644', 'f', object('blob', Buffer.from('x'))]);
    for (let depth = 0; depth < 10; depth++)
      level = tree(
        ...Array.from({ length: 10 }, (_, i): [string, string, string] => ['40000', `d${i}`, level]),
      );
    head(level);
    access = testAccess(home, { limits: { entries: 10_000 } });
    expect(await codeOf(open())).toBe('GIT_TOO_LARGE');
    access.kept.close();
    expect(readdirSync(join(access.temporaryDirectory, '../sources/checkout'))).toEqual([]);
  });

  test('contents and repositories beyond the limit', async () => {
    // Small in the repository, large on disk.
    repository.commit({ big: 'x'.repeat(3_000_000) });
    access = testAccess(home, { limits: { bytes: 1_000_000 } });
    expect(await codeOf(open())).toBe('GIT_TOO_LARGE');
    execFileSync('sh', ['-c', 'head -c 3000000 /dev/urandom > noise'], { cwd: repository.path });
    repository.commit({ big: '' });
    expect(await codeOf(open())).toBe('GIT_TOO_LARGE');
  });

  test('links in the files lead nowhere for who reads them', async () => {
    symlinkSync('/etc/passwd', join(repository.path, 'passwd'));
    symlinkSync('/etc/passwd', join(repository.path, 'Dockerfile'));
    repository.commit({});
    const { openContext } = await import('../../src/context/open-context.ts');
    const opened = openContext({
      argument: published(),
      cwd: home,
      stdin: (async function* () {})(),
      temporaryDirectory: home,
      access: async () => access,
    });
    expect(await codeOf(opened)).toBe('DOCKERFILE_NOT_FOUND');
  });
});
