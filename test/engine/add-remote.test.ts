import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import type { BuildOptions, SlipwayError } from '../../src/index.ts';
import { httpGit, makeRepository, type TestRepository } from '../support/git.ts';
import { libraryStore } from '../support/library-store.ts';
import { describeWith, program } from '../support/need.ts';
import { webServer } from '../support/web-server.ts';

const sha256 = (data: string | Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

describe('ADD from the web', () => {
  const store = libraryStore();
  const web = webServer();
  let archive: Buffer;
  beforeAll(() => {
    const folder = store.files({ 'in/a': 'in an archive' });
    archive = execFileSync('tar', ['-czf', '-', '--owner=5', '--group=6', 'in'], { cwd: folder });
  });
  const details = async (dockerfile: string, options: Partial<BuildOptions> = {}): Promise<string[]> => {
    const to = store.empty();
    await store.build(dockerfile, { ...options, outputs: [{ type: 'tar', dest: join(to, 'tar') }] });
    const listed = execFileSync('tar', ['-tvf', join(to, 'tar'), '--full-time', '--numeric-owner'], {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    });
    // The time of a directory is that of the build.
    return listed
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('d'))
      .map((line) => line.replace(/ +/g, ' '));
  };

  it('gives a file of mode 0600 the name and time of its address', async () => {
    web.file('/a.txt', 'a');
    web.file('/undated', 'b', { 'last-modified': '' });
    web.file('/', 'root');
    expect(
      await details(
        `FROM scratch
ARG NAME=a
ADD ${web.url}/$NAME.txt?x=1 /dir/
ADD ${web.url}/undated /file
ADD --chown=7:8 --chmod=640 ${web.url}/a.txt ${web.url}/ /both/`,
      ),
    ).toEqual([
      '-rw-r----- 7/8 4 2024-01-02 03:04:05 both/__unnamed__',
      '-rw-r----- 7/8 1 2024-01-02 03:04:05 both/a.txt',
      '-rw------- 0/0 1 2024-01-02 03:04:05 dir/a.txt',
      '-rw------- 0/0 1 1970-01-01 00:00:00 file',
    ]);
  });

  it('extracts archives only when it is told to', async () => {
    web.file('/x.tar.gz', archive);
    const plain = await store.build(`FROM scratch\nADD ${web.url}/x.tar.gz /d/`);
    const unpacked = await store.build(`FROM scratch\nADD --unpack=true ${web.url}/x.tar.gz /d/`);
    expect([plain.layer(-1), unpacked.layer(-1)]).toEqual([
      ['d/', 'd/x.tar.gz'],
      ['d/', 'd/in/', 'd/in/a'],
    ]);
  });

  it('takes the sources of a line in their order, local ones among them', async () => {
    web.file('/x', 'from the web');
    const files = { a: 'local a', b: 'local b' };
    const last = async (sources: string): Promise<string> =>
      (await store.build(`FROM scratch\nADD ${sources} /one`, { files })).file(-1, 'one');
    expect(await last(`a ${web.url}/x`)).toBe('from the web');
    expect(await last(`${web.url}/x a b`)).toBe('local b');
    const mixed = await store.build(`FROM scratch\nADD <<E a ${web.url}/x /d/\nheredoc\nE`, { files });
    expect(mixed.layer(-1)).toEqual(['d/', 'd/E', 'd/a', 'd/x']);
  });

  it('is reused while the content is the same, and asks for no more than that', async () => {
    const dockerfile = `FROM scratch\nADD ${web.url}/cached /x`;
    web.file('/cached', 'one');
    const first = await store.build(dockerfile);
    const again = await store.build(dockerfile);
    expect([first.ran, again.ran, again.reused]).toEqual([1, 0, 1]);
    expect(web.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"']);
    // Another date and tag alone are no new content.
    web.file('/cached', 'one', { etag: '"2"', 'last-modified': 'Wed, 03 Jan 2024 03:04:05 GMT' });
    expect((await store.build(dockerfile)).ran).toBe(0);
    web.file('/cached', 'two', { etag: '"3"' });
    const changed = await store.build(dockerfile);
    expect([changed.ran, changed.file(-1, 'x')]).toEqual([1, 'two']);
  });

  it('verifies checksums', async () => {
    web.file('/pinned', 'content', { etag: '', 'last-modified': '' });
    const dockerfile = `FROM scratch\nADD --checksum=${sha256('content')} ${web.url}/pinned /x`;
    await store.build(dockerfile);
    await store.build(dockerfile);
    expect(web.requests).toHaveLength(1);
    const wrong = store.build(`FROM scratch\nADD --checksum=${sha256('other')} ${web.url}/pinned /x`);
    await expect(wrong).rejects.toMatchObject({
      code: 'HTTP_DIGEST_MISMATCH',
      message: expect.stringContaining('digest mismatch'),
      location: { range: { start: { line: 2 } } },
    });
  });

  it('shows credentials nowhere: neither in history nor titles, errors, records', async () => {
    web.file('/x', 'x');
    const address = `${web.url.replace('//', '//me:s3cr3t@')}/x`;
    const built = await store.build(`FROM scratch\nADD ${address}?token=s3cr3t /x`);
    const { history } = built.config();
    expect(history.map((entry) => entry.created_by)).toEqual([
      `ADD ${web.url.replace('//', '//xxxxx:xxxxx@')}/x?token=xxxxx /x # buildkit`,
    ]);
    expect(JSON.stringify(built.events)).not.toContain('s3cr3t');
    const error = (await store
      .build(`FROM scratch\nADD ${address}y /x`)
      .catch((thrown: unknown) => thrown)) as SlipwayError;
    const { excerpt } = await import('../../src/errors/index.ts');
    expect(`${error.message}${error.hint}${excerpt(error.location!)}`).not.toContain('s3cr3t');
    expect(error.message).toBe(`cannot fetch ${web.url}/xy: invalid response status 404`);
    const kept = execFileSync('sh', ['-c', 'grep -rl s3cr3t builds sources 2>/dev/null || true'], {
      cwd: store.root,
      encoding: 'utf8',
    });
    expect(kept).toBe('');
  });

  it('is let in by secrets', async () => {
    web.answers.set('/guarded', (request, response) => {
      if (request.headers.authorization !== 'Bearer tok') response.writeHead(401).end();
      else response.end('inside');
    });
    const dockerfile = `FROM scratch\nADD ${web.url}/guarded /x`;
    const secrets = { 'HTTP_AUTH_TOKEN_127.0.0.1': { value: 'tok' } };
    expect((await store.build(dockerfile, { secrets })).file(-1, 'x')).toBe('inside');
    await expect(store.build(dockerfile)).rejects.toMatchObject({ kind: 'denied', code: 'HTTP_STATUS' });
  });

  test('COPY of an address is refused', async () => {
    await expect(store.build(`FROM scratch\nCOPY ${web.url}/x /x`)).rejects.toThrow(
      "source can't be a URL for COPY",
    );
  });
});

describeWith({ needs: [program('git')] }, 'ADD from git', () => {
  const store = libraryStore();
  const served = (name: string): string => join(store.folder, 'served', name);
  const server = httpGit(() => join(store.folder, 'served'));
  let work: TestRepository;
  let second: string;
  let first: string;
  beforeAll(() => {
    mkdirSync(join(store.folder, 'served'));
    work = makeRepository(join(store.folder, 'work'));
    first = work.commit({ 'a.txt': 'one', '!run': '#!/bin/sh', 'sub/b': 'b' });
    work.git('tag', 'v1');
    second = work.commit({ 'a.txt': 'two' });
    work.publish(served('r.git'));
  });

  it('puts the files of a commit, or of its directory, into the destination', async () => {
    const built = await store.build(
      `FROM scratch\nADD ${server.url}/r.git#v1 /src\nADD ${server.url}/r.git?subdir=sub /`,
    );
    expect(built.layer(0)).toEqual(['src/', 'src/a.txt', 'src/run', 'src/sub/', 'src/sub/b']);
    expect([built.layer(1), built.file(0, 'src/a.txt')]).toEqual([['b'], 'one']);
  });

  it('keeps .git when it is told to', async () => {
    const built = await store.build(
      `FROM scratch\nADD --keep-git-dir=true --exclude=sub ${server.url.replace('//', '//u:s3cr3t@')}/r.git /src`,
    );
    expect(built.layer(0).filter((name) => /^src\/(?:\.git\/HEAD|a\.txt|sub\/.*)$/.test(name))).toEqual([
      'src/.git/HEAD',
      'src/a.txt',
    ]);
    expect(built.file(0, 'src/.git/HEAD').trim()).toBe(second);
    expect(built.file(0, 'src/.git/config')).toContain(`url = ${server.url}/r.git\n`);
  });

  it('is reused for the same commit with one question, or none when the id is given', async () => {
    const dockerfile = `FROM scratch\nADD ${server.url}/r.git#v1 /x`;
    const pinned = `FROM scratch\nADD ${server.url}/r.git#${first} /x`;
    await store.build(dockerfile);
    server.requests.length = 0;
    const again = await store.build(dockerfile);
    expect([again.ran, server.requests.length]).toEqual([0, 2]);
    server.requests.length = 0;
    const byId = await store.build(pinned);
    expect([byId.ran, server.requests.length]).toEqual([0, 0]);
  });

  it('is written over the layer of an earlier commit, and is what a clean build makes', async () => {
    const many = makeRepository(join(store.folder, 'many'));
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`d/f${i}`, `content ${i}`]));
    many.commit(files);
    many.publish(served('many.git'));
    const dockerfile = `FROM scratch\nADD ${server.url}/many.git /x`;
    await store.build(dockerfile);
    many.commit({ 'd/f7': 'changed', 'd/new': 'new' });
    many.publish(served('many.git'));
    const built = await store.build(dockerfile);
    expect([built.file(-1, 'x/d/f7'), built.file(-1, 'x/d/new'), built.file(-1, 'x/d/f8')]).toEqual([
      'changed',
      'new',
      'content 8',
    ]);
    expect(built.layer(-1)).toHaveLength(303);
  });

  it('verifies checksums of commits', async () => {
    const dockerfile = (sum: string): string =>
      `FROM scratch\nADD --checksum=${sum} ${server.url}/r.git#main /x`;
    await store.build(dockerfile(second.slice(0, 9)));
    await expect(store.build(dockerfile(first))).rejects.toMatchObject({
      code: 'GIT_CHECKSUM_MISMATCH',
      location: { range: { start: { line: 2 } } },
    });
  });

  test('COPY of a repository is refused, and so are files of this machine', async () => {
    await expect(store.build(`FROM scratch\nCOPY ${server.url}/r.git /x`)).rejects.toThrow(
      "source can't be a git ref for COPY",
    );
    await expect(store.build(`FROM scratch\nADD file://${served('r.git')} /x`)).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
    });
  });

  test('two builds at once of one repository', async () => {
    const repository = makeRepository(join(store.folder, 'shared'));
    repository.commit({ x: 'shared' });
    repository.publish(served('shared.git'));
    server.requests.length = 0;
    const dockerfile = `FROM scratch\nADD ${server.url}/shared.git /x`;
    const built = await Promise.all([store.build(dockerfile), store.build(dockerfile)]);
    expect(built.map((one) => one.file(0, 'x/x'))).toEqual(['shared', 'shared']);
    expect(built[0].imageId).toBe(built[1].imageId);
    const uploads = server.requests.filter(({ path }) => path.endsWith('/git-upload-pack'));
    // Each asks what the branch is; one of them fetches it.
    expect(uploads).toHaveLength(4);
  });
});
