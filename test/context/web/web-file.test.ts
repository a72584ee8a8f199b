import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { RemoteAccess } from '../../../src/context/remote-access.ts';
import { fileNameOf } from '../../../src/context/web/file-name.ts';
import { openWebFile } from '../../../src/context/web/web-file.ts';
import type { SlipwayError } from '../../../src/errors/index.ts';
import { suiteFolder } from '../../support/folders.ts';
import { secretsOf, testAccess } from '../../support/remote.ts';
import { webServer } from '../../support/web-server.ts';

const folder = suiteFolder('shared');
const web = webServer();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const read = async (url: string, access: RemoteAccess, checksum?: string): Promise<string> => {
  const file = await openWebFile({ url, checksum }, access);
  try {
    return readFileSync(file.path, 'utf8');
  } finally {
    file.release();
  }
};

test.each([
  ['https://a/b/c.txt', undefined, 'c.txt'],
  ['https://a/b/c.txt?x=/d', 'attachment; filename=given', 'c.txt'],
  ['https://a/dir/', undefined, 'dir'],
  ['https://a/x%20y', undefined, 'x y'],
  ['https://a/x%2Fy', undefined, 'y'],
  ['https://a/', undefined, '__unnamed__'],
  ['https://a', 'attachment; filename="given name.txt"', 'given name.txt'],
  ['https://a', 'attachment; filename="../../etc/passwd"', 'passwd'],
  ['https://a', "attachment; filename=plain; filename*=UTF-8''%e2%82%ac.txt", '€.txt'],
  ['https://a', 'attachment; filename="dir/"', '__unnamed__'],
  ['https://a', 'attachment; filename=".."', '__unnamed__'],
  ['https://a/%2e%2e', undefined, '__unnamed__'],
  ['https://a/a%0Ab', undefined, '__unnamed__'],
])('the name of %s with %s is %s', (url, disposition, name) => {
  expect(fileNameOf(url, disposition)).toBe(name);
});

test('a file has mode 0600 and the time that the server gives it, else 1970', async () => {
  const access = testAccess(folder.path);
  web.file('/dated', 'x');
  web.file('/undated', 'x', { 'last-modified': '' });
  const times = [];
  for (const path of ['/dated', '/undated']) {
    const file = await openWebFile({ url: web.url + path }, access);
    const stat = statSync(file.path);
    times.push([stat.mtime.toISOString(), (stat.mode & 0o777).toString(8)]);
  }
  expect(times).toEqual([
    ['2024-01-02T03:04:05.000Z', '600'],
    ['1970-01-01T00:00:00.000Z', '600'],
  ]);
});

test('an unchanged content is asked for and not fetched, a changed one is', async () => {
  const access = testAccess(folder.path);
  const url = `${web.url}/x`;
  web.file('/x', 'one');
  expect([await read(url, access), await read(url, access)]).toEqual(['one', 'one']);
  web.file('/x', 'two', { etag: '"2"' });
  expect(await read(url, access)).toBe('two');
  expect(web.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"', '"1"']);
  web.file('/x', 'three', { etag: '', 'last-modified': '' });
  expect([await read(url, access), await read(url, access)]).toEqual(['three', 'three']);
});

test('two at once: the second asks whether it is still the same', async () => {
  const access = testAccess(folder.path);
  web.file('/x', 'content');
  const texts = await Promise.all([1, 2, 3].map(() => read(`${web.url}/x`, access)));
  const conditions = web.requests.map(({ headers }) => headers['if-none-match']);
  expect([texts, conditions]).toEqual([
    ['content', 'content', 'content'],
    [undefined, '"1"', '"1"'],
  ]);
});

describe('checksums', () => {
  it('are verified, and let what is here be used unasked', async () => {
    const access = testAccess(folder.path);
    const url = `${web.url}/x`;
    web.file('/x', 'content', { etag: '', 'last-modified': '' });
    const wanted = `sha256:${sha256('content')}`;
    expect([await read(url, access, wanted), await read(url, access, wanted)]).toEqual([
      'content',
      'content',
    ]);
    expect(web.requests).toHaveLength(1);
  });

  it('that differ are an error with both digests, and nothing is kept', async () => {
    const access = testAccess(folder.path);
    web.file('/x', 'other');
    const wanted = `sha256:${sha256('content')}`;
    const error = (await read(`${web.url}/x`, access, wanted).catch(
      (thrown: unknown) => thrown,
    )) as SlipwayError;
    expect([error.kind, error.code, error.message]).toEqual([
      'invalid',
      'HTTP_DIGEST_MISMATCH',
      `digest mismatch for ${web.url}/x: sha256:${sha256('other')} (expected: ${wanted})`,
    ]);
    const kept = join(access.temporaryDirectory, '../sources');
    expect(readdirSync(kept)).toEqual(['address']);
  });
});

test('secrets by the name of the host', async () => {
  const asked = async (values: Record<string, string>, url = `${web.url}/x`): Promise<string | undefined> => {
    web.requests.length = 0;
    await read(url, testAccess(folder.path, { secret: secretsOf(values) }));
    return web.requests[0]!.headers.authorization;
  };
  web.file('/x', 'x');
  expect(await asked({ 'HTTP_AUTH_TOKEN_127.0.0.1': 'tok\n' })).toBe('Bearer tok');
  expect(await asked({ 'HTTP_AUTH_HEADER_127.0.0.1': 'Digest h', 'HTTP_AUTH_TOKEN_127.0.0.1': 't' })).toBe(
    'Digest h',
  );
  expect(await asked({ HTTP_AUTH_TOKEN_localhost: 'tok', GIT_AUTH_TOKEN: 'git' })).toBeUndefined();
  expect(await asked({ 'HTTP_AUTH_TOKEN_127.0.0.1': 'tok' }, `${web.url.replace('//', '//u:p@')}/x`)).toBe(
    `Basic ${Buffer.from('u:p').toString('base64')}`,
  );
});

test('what is kept holds no address and no credentials', async () => {
  const { execFileSync } = await import('node:child_process');
  const access = testAccess(folder.path, { secret: secretsOf({ 'HTTP_AUTH_TOKEN_127.0.0.1': 's3cret' }) });
  web.file('/x', 'x');
  await read(`${web.url}/x?token=s3cret`, access);
  const found = execFileSync('sh', ['-c', 'grep -rl "s3cret\\|127.0.0.1" . || true'], {
    cwd: join(access.temporaryDirectory, '..'),
    encoding: 'utf8',
  });
  expect(found).toBe('');
});
