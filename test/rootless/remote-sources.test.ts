import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { httpGit, makeRepository } from '../support/git.ts';
import { describeWith, program, root } from '../support/need.ts';
import { webServer } from '../support/web-server.ts';
import { ordinaryUser } from './ordinary-user.ts';

const needs = [root(), program('useradd', 'passwd'), program('git')];

describeWith({ needs }, 'an ordinary user`s sources from elsewhere', () => {
  const user = ordinaryUser([]);
  const web = webServer();
  const git = httpGit(() => join(user.folder, 'served'));
  beforeAll(() => {
    mkdirSync(join(user.folder, 'served'));
    const repository = makeRepository(join(user.folder, 'work'));
    repository.commit({
      Dockerfile: 'FROM scratch\nARG WEB\nCOPY f /\nADD $WEB/x $WEB/y /web/\n',
      f: 'f',
      '!run': '',
    });
    repository.publish(join(user.folder, 'served/r.git'));
  });

  it('are files of the image with the same modes and owners, the second time from the cache', async () => {
    web.file('/x', 'x');
    web.file('/y', 'y');
    const repository = `${git.url}/r.git`;
    const dockerfile = `FROM scratch\nADD ${repository} /git/\nCOPY --from=named run /\nADD ${web.url}/x /web/\n`;
    const tar = join(user.folder, 'home/out.tar');
    const build = (): Promise<string> =>
      user.ok(
        [
          'build',
          '--progress=plain',
          '--build-context',
          `named=${repository}`,
          '-f',
          '-',
          '-o',
          `type=tar,dest=${tar}`,
          repository,
        ],
        { input: dockerfile },
      );
    await build();
    const listing = execFileSync('tar', ['-tvf', tar, '--numeric-owner'], { encoding: 'utf8' });
    const shown = listing
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +\d+ \d{4}-\d\d-\d\d \d\d:\d\d/, ''));
    expect(shown).toEqual([
      'drwxr-xr-x 0/0 git/',
      '-rw-r--r-- 0/0 git/Dockerfile',
      '-rw-r--r-- 0/0 git/f',
      '-rwxr-xr-x 0/0 git/run',
      '-rwxr-xr-x 0/0 run',
      'drwxr-xr-x 0/0 web/',
      '-rw------- 0/0 web/x',
    ]);
    web.requests.length = 0;
    const { stderr } = await user.run(
      ['build', '--progress=plain', '--build-context', `named=${repository}`, '-f', '-', repository],
      { input: dockerfile },
    );
    // The address and the steps.
    expect(stderr.match(/CACHED/g)).toHaveLength(4);
    expect(web.requests).toHaveLength(1);
  });
});
