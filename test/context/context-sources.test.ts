import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll } from 'vitest';
import { openDirectoryContext } from '../../src/context/directory-context.ts';
import type { RemoteAccess } from '../../src/context/remote-access.ts';
import { openRemoteContext } from '../../src/context/remote-context.ts';
import { openTarContext } from '../../src/context/tar-context.ts';
import { suiteFolder } from '../support/folders.ts';
import { httpGit, makeRepository } from '../support/git.ts';
import { describeWith, program } from '../support/need.ts';
import { testAccess } from '../support/remote.ts';
import { webServer } from '../support/web-server.ts';
import { CONFORMANCE_FILES, describeContextSource, type OpenedForTest } from './context-conformance.ts';

describeWith({ needs: [program('git')] }, 'every kind of context', () => {
  const folder = suiteFolder('shared');
  const git = httpGit(() => join(folder.path, 'served'));
  const web = webServer();
  let access: RemoteAccess;
  const files = (): string => join(folder.path, 'work');
  const archive = (): Buffer => execFileSync('tar', ['-cz', '--exclude=.git', '.'], { cwd: files() });
  beforeAll(() => {
    mkdirSync(join(folder.path, 'served'));
    const repository = makeRepository(files());
    for (const [name, content] of Object.entries(CONFORMANCE_FILES)) {
      const file = join(files(), name.replace(/^!/, ''));
      mkdirSync(dirname(file), { recursive: true });
      if (content.startsWith('-> ')) symlinkSync(content.slice(3), file);
      else {
        writeFileSync(file, content);
        chmodSync(file, name.startsWith('!') ? 0o755 : 0o644);
      }
    }
    for (const name of ['dir', 'dir/deep']) chmodSync(join(files(), name), 0o755);
    repository.commit({});
    repository.publish(join(folder.path, 'served/r.git'));
    execFileSync('cp', ['-a', files(), join(folder.path, 'directory')]);
    execFileSync('rm', ['-rf', join(folder.path, 'directory/.git')]);
    access = testAccess(folder.path);
  });
  const remote = async (argument: string): Promise<OpenedForTest> => {
    const opened = await openRemoteContext(argument, { access, cwd: folder.path });
    if (opened === undefined || !('context' in opened)) throw new Error('no context');
    return { source: opened.context, secrets: ['secret'] };
  };

  describeContextSource('a directory', async () => ({
    source: openDirectoryContext({ root: join(folder.path, 'directory') }),
  }));
  describeContextSource('standard input', async () => ({
    source: await openTarContext(
      (async function* () {
        yield archive();
      })(),
      { description: 'standard input', temporaryDirectory: folder.path },
    ),
  }));
  describeContextSource('git over http', () => remote(`${git.url.replace('//', '//me:secret@')}/r.git`));
  describeContextSource('a repository of this machine', () => remote(join(folder.path, 'served/r.git')));
  describeContextSource('an archive of the web', () => {
    web.file('/x', archive());
    return remote(`${web.url.replace('//', '//me:secret@')}/x?token=secret`);
  });
});
