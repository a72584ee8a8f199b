import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BASE, type LibraryBuild, libraryStore } from '../support/library-store.ts';
import { describeWith, program, root } from '../support/need.ts';

const COMMIT = 1_234_567_890;
const MODIFIED = 1_111_111_111;
const IN_ARCHIVE = 1_000_000_007;

describeWith({ needs: [root(), program('git')] }, 'SOURCE_DATE_EPOCH of a source', () => {
  const store = libraryStore();
  let server: Server;
  let address = '';
  let repository = '';

  beforeAll(async () => {
    repository = `${store.files({ Dockerfile: '', file: 'file\n' })}/`;
    const at = `${COMMIT} +0200`;
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', repository, '-c', 'user.name=n', '-c', 'user.email=e', ...args], {
        env: { ...process.env, GIT_COMMITTER_DATE: at, GIT_AUTHOR_DATE: `${COMMIT - 5} +0000` },
        stdio: 'ignore',
      });
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-qm', 'first');
    const tree = store.files({ old: 'old', new: 'new' });
    execFileSync('touch', ['-d', `@${IN_ARCHIVE - 100}`, `${tree}/old`]);
    execFileSync('touch', ['-d', `@${IN_ARCHIVE}`, `${tree}/new`]);
    const archive = execFileSync('tar', ['-C', tree, '-cz', '--no-recursion', '.', 'old', 'new']);
    server = createServer(({ url }, response) => {
      if (url === '/dated.txt') response.setHeader('last-modified', new Date(MODIFIED * 1000).toUTCString());
      response.end(url === '/archive.tar.gz' ? archive : 'text');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  const created = async (dockerfile: string, options: LibraryBuild = {}): Promise<unknown> => {
    const built = await store.build(
      `FROM ${BASE}\nARG SOURCE_DATE_EPOCH\nLABEL at="$SOURCE_DATE_EPOCH"\n${dockerfile}`,
      options,
    );
    const { config, created: at } = built.config() as unknown as {
      config: { Labels: unknown };
      created: string;
    };
    expect(built.unusedBuildArgs).toEqual([]);
    return [(config.Labels as { at: string }).at, Math.floor(Date.parse(at) / 1000)];
  };
  const epoch = (value: string): LibraryBuild => ({ buildArgs: { SOURCE_DATE_EPOCH: value } });

  it('is that of the commit of a git context, and of a named one', async () => {
    const context = `file://${repository}.git#main`;
    const found = [String(COMMIT), COMMIT];
    expect(await created('COPY file /', { ...epoch('context'), context })).toEqual(found);
    expect(await created('', { ...epoch('Source'), buildContexts: { source: context } })).toEqual(found);
    expect(
      await created('', { env: { PATH: process.env.PATH!, SOURCE_DATE_EPOCH: 'context' }, context }),
    ).toEqual(found);
  });

  it('is none for a directory, and then the time of the build', async () => {
    const before = Math.floor(Date.now() / 1000);
    const [label, at] = (await created('COPY file /', {
      ...epoch('context'),
      files: { file: `${Math.random()}` },
    })) as [string, number];
    expect([label, at >= before]).toEqual(['', true]);
  });

  it('is what a server says of a file, or the newest file of an archive', async () => {
    const stage = (source: string) =>
      `FROM scratch AS when\nARG FILE=${source}\nADD ${address}/$FILE /\nFROM ${BASE}\nARG SOURCE_DATE_EPOCH\nLABEL at="$SOURCE_DATE_EPOCH"\n`;
    expect(await created(stage('dated.txt'), epoch('when'))).toEqual([String(MODIFIED), MODIFIED]);
    expect(await created(stage('archive.tar.gz'), epoch('WHEN'))).toEqual([String(IN_ARCHIVE), IN_ARCHIVE]);
    const [none] = (await created(stage('plain.txt'), epoch('when'))) as [string];
    expect(none).toBe('');
  });

  it('may be asked for by a global argument', async () => {
    const built = await store.build(
      `ARG SOURCE_DATE_EPOCH=when
FROM scratch AS when
ADD ${address}/dated.txt /
FROM ${BASE}
ARG SOURCE_DATE_EPOCH
RUN echo "at $SOURCE_DATE_EPOCH" # at
`,
    );
    expect(built.log('# at')).toBe(`at ${MODIFIED}\n`);
  });

  it.each([
    ['FROM base AS when\n', 'SOURCE_DATE_EPOCH stage must use FROM scratch'],
    ['FROM scratch AS when\n', 'SOURCE_DATE_EPOCH stage must contain exactly one remote ADD'],
    [
      'FROM scratch AS when\nADD http://x/a http://x/b /\n',
      'SOURCE_DATE_EPOCH stage must contain exactly one remote ADD source',
    ],
    [
      'FROM scratch AS when\nADD file /\n',
      'SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD',
    ],
    [
      'FROM scratch AS when\nCOPY file /\n',
      'SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported COPY instruction',
    ],
    ['', 'invalid SOURCE_DATE_EPOCH: when'],
  ])('is refused for %j', async (stage, message) => {
    await expect(store.build(`${stage}FROM ${BASE}\n`, epoch('when'))).rejects.toMatchObject({ message });
  });
});
