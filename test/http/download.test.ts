import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { afterEach, describe, expect, it, test } from 'vitest';
import type { SlipwayError } from '../../src/errors/index.ts';
import { type Download, type DownloadRequest, download } from '../../src/http/download.ts';
import { type HttpClient, type HttpClientOptions, openHttpClient } from '../../src/http/http-client.ts';
import { suiteFolder } from '../support/folders.ts';
import { forwardProxy } from '../support/forward-proxy.ts';
import { webServer } from '../support/web-server.ts';

const folder = suiteFolder('shared');
const web = webServer();
const proxy = forwardProxy();
const clients: HttpClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
const client = async (options: Partial<HttpClientOptions> = {}): Promise<HttpClient> => {
  const opened = await openHttpClient({ env: {}, delayMs: 1, ...options });
  clients.push(opened);
  return opened;
};
const fetch = async (
  url: string,
  more: Partial<DownloadRequest> = {},
  options: Partial<HttpClientOptions> = {},
): Promise<Download & { text: string }> => {
  const file = join(folder.path, 'file');
  const done = await download(await client(options), { url, file, limit: 1 << 20, delayMs: 1, ...more });
  return { ...done, text: done.changed ? readFileSync(file, 'utf8') : '' };
};
const failure = async (fetching: Promise<unknown>): Promise<SlipwayError> =>
  fetching.then(
    () => {
      throw new Error('it did not fail');
    },
    (error) => error as SlipwayError,
  );

test('a content of unknown size, with what the server says of it', async () => {
  web.answers.set('/x', (_, response) => {
    response.setHeader('etag', '"a"').setHeader('last-modified', 'Tue, 02 Jan 2024 03:04:05 GMT');
    response.setHeader('content-disposition', 'attachment; filename=x.txt');
    response.write('one ');
    response.end('two');
  });
  expect(await fetch(`${web.url}/x`)).toEqual({
    changed: true,
    text: 'one two',
    sha256: createHash('sha256').update('one two').digest('hex'),
    size: 7,
    validators: { etag: '"a"', lastModified: 'Tue, 02 Jan 2024 03:04:05 GMT' },
    disposition: 'attachment; filename=x.txt',
  });
  expect(statSync(join(folder.path, 'file')).mode & 0o777).toBe(0o600);
});

test('what is known is asked for by tag, else by date, and not fetched again', async () => {
  web.file('/x', 'content');
  const lastModified = 'Tue, 02 Jan 2024 03:04:05 GMT';
  expect((await fetch(`${web.url}/x`, { known: { etag: '"1"', lastModified } })).changed).toBe(false);
  expect((await fetch(`${web.url}/x`, { known: { lastModified } })).changed).toBe(false);
  expect((await fetch(`${web.url}/x`, { known: { etag: '"0"', lastModified } })).changed).toBe(true);
  const asked = web.requests.map(({ headers }) => [headers['if-none-match'], headers['if-modified-since']]);
  expect(asked).toEqual([
    ['"1"', undefined],
    [undefined, lastModified],
    ['"0"', undefined],
  ]);
});

test('encodings of the content', async () => {
  const content = Buffer.from('content '.repeat(1000));
  const encoders: Record<string, (data: Buffer) => Buffer> = {
    gzip: zlib.gzipSync,
    'x-gzip': zlib.gzipSync,
    deflate: zlib.deflateSync,
    br: zlib.brotliCompressSync,
    zstd: zlib.zstdCompressSync,
    identity: (data) => data,
    'deflate, gzip': (data) => zlib.gzipSync(zlib.deflateSync(data)),
  };
  for (const [name, encode] of Object.entries(encoders)) {
    web.answers.set('/x', (_, response) => {
      response.setHeader('content-encoding', name).end(encode(content));
    });
    expect((await fetch(`${web.url}/x`)).text).toBe(String(content));
  }
  web.answers.set('/x', (_, response) => response.setHeader('content-encoding', 'magic').end('x'));
  expect((await failure(fetch(`${web.url}/x`))).code).toBe('HTTP_ENCODING');
  web.answers.set('/x', (_, response) => response.setHeader('content-encoding', 'gzip').end('no gzip'));
  expect((await failure(fetch(`${web.url}/x`))).code).toBe('HTTP_UNREACHABLE');
});

test('contents beyond the limit, announced, unannounced and compressed', async () => {
  const limit = 1000;
  const big = Buffer.alloc(100_000);
  web.answers.set('/announced', (_, response) => response.end(big));
  web.answers.set('/unannounced', (_, response) => {
    response.write(big.subarray(0, 500));
    response.end(big);
  });
  web.answers.set('/bomb', (_, response) =>
    response.setHeader('content-encoding', 'gzip').end(zlib.gzipSync(big)),
  );
  for (const path of ['/announced', '/unannounced', '/bomb']) {
    const error = await failure(fetch(web.url + path, { limit }));
    expect([error.kind, error.code, error.message]).toEqual([
      'exhausted',
      'HTTP_TOO_LARGE',
      `${web.url}${path} is larger than 1000 bytes`,
    ]);
  }
});

describe('redirects', () => {
  const redirect = (path: string, to: string, status = 302): void => {
    web.answers.set(path, (_, response) => response.writeHead(status, { location: to }).end());
  };

  it('are followed, relative ones too', async () => {
    redirect('/a', '/b', 301);
    redirect('/b', 'c/d', 307);
    web.file('/c/d', 'there');
    expect((await fetch(`${web.url}/a`)).text).toBe('there');
  });

  it('take credentials to the same origin and to no other', async () => {
    redirect('/a', '/same');
    redirect('/same', `${web.otherUrl}/other`);
    redirect('/other', `${web.url}/back`);
    web.file('/back', 'x');
    await fetch(`${web.url.replace('//', '//me:p%40ss@')}/a`);
    await fetch(`${web.url}/a`, { authorization: 'Bearer t' });
    const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    expect(web.requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/a', basic],
      ['/same', basic],
      ['/other', undefined],
      ['/back', basic],
      ['/a', 'Bearer t'],
      ['/same', 'Bearer t'],
      ['/other', undefined],
      ['/back', 'Bearer t'],
    ]);
  });

  it('end somewhere, and in the web', async () => {
    redirect('/loop', '/loop');
    expect((await failure(fetch(`${web.url}/loop`))).code).toBe('HTTP_REDIRECTS');
    redirect('/file', 'file:///etc/passwd');
    expect((await failure(fetch(`${web.url}/file`))).code).toBe('HTTP_URL_INVALID');
  });
});

describe('retries', () => {
  it('of answers that promise to change', async () => {
    const answers = [503, 429, 200];
    web.answers.set('/x', (_, response) => {
      const status = answers.shift()!;
      response.writeHead(status, status === 429 ? { 'retry-after': '0' } : {}).end('done');
    });
    expect((await fetch(`${web.url}/x`)).text).toBe('done');
    expect(web.requests).toHaveLength(3);
  });

  it('of connections and contents that break off, from the beginning', async () => {
    let left = 2;
    web.answers.set('/x', (request, response) => {
      if (left-- === 0) return void response.end('whole content');
      response.setHeader('content-length', '100');
      response.write('half', () => request.socket.destroy());
    });
    expect((await fetch(`${web.url}/x`)).text).toBe('whole content');
  });

  it('end, with the reason and without credentials', async () => {
    web.answers.set('/x', (_, response) => response.writeHead(503).end());
    const error = await failure(fetch(`${web.url.replace('//', '//u:secret@')}/x?token=abc&v=1`));
    expect([error.kind, error.message]).toEqual([
      'unavailable',
      `cannot fetch ${web.url}/x?token=xxxxx&v=1: invalid response status 503`,
    ]);
    expect(web.requests).toHaveLength(4);
    const refused = await failure(fetch('http://127.0.0.1:1/x'));
    expect([refused.code, refused.message]).toEqual([
      'HTTP_UNREACHABLE',
      'cannot fetch http://127.0.0.1:1/x: connection refused',
    ]);
  });

  it('are not for what stays as it is', async () => {
    web.answers.set('/secret', (_, response) => response.writeHead(403).end());
    const missing = await failure(fetch(`${web.url}/none`));
    const denied = await failure(fetch(`${web.url}/secret`));
    expect([missing.kind, denied.kind, web.requests.length]).toEqual(['not-found', 'denied', 2]);
    expect(denied.hint).toContain('--secret id=HTTP_AUTH_TOKEN_127.0.0.1,env=NAME');
    expect((await failure(fetch('ftp://x/y'))).code).toBe('HTTP_URL_INVALID');
  });
});

test('a host that says nothing, or stops in the middle, counts as gone', async () => {
  web.answers.set('/silent', () => {});
  web.answers.set('/stalled', (_, response) => void response.write('half'));
  for (const path of ['/silent', '/stalled']) {
    const error = await failure(fetch(web.url + path, { attempts: 1 }, { idleMs: 50, attempts: 1 }));
    expect([error.kind, error.code]).toEqual(['unavailable', 'HTTP_UNREACHABLE']);
  }
});

test('a cancel ends a request and a download at once', async () => {
  web.answers.set('/silent', () => controller.abort());
  let controller = new AbortController();
  expect((await failure(fetch(`${web.url}/silent`, { signal: controller.signal }))).kind).toBe('canceled');
  web.answers.set('/half', (_, response) => void response.write('half', () => controller.abort()));
  controller = new AbortController();
  expect((await failure(fetch(`${web.url}/half`, { signal: controller.signal }))).kind).toBe('canceled');
});

test('proxies of the environment, for all but this machine', async () => {
  web.file('/x', 'found');
  const away = web.url.replace('127.0.0.1', 'elsewhere.test');
  const by = async (url: string, env: NodeJS.ProcessEnv): Promise<string> =>
    (await fetch(`${url}/x`, { attempts: 1 }, { env })).text;
  for (const name of ['HTTP_PROXY', 'http_proxy'])
    expect(await by(away, { [name]: proxy.url })).toBe('found');
  expect(proxy.seen).toEqual([away, away].map((url) => url.slice('http://'.length)));
  // As Go has it, and so Docker.
  for (const host of ['127.0.0.1', 'localhost'])
    expect(await by(web.url.replace('127.0.0.1', host), { HTTP_PROXY: proxy.url })).toBe('found');
  const direct = failure(by(away, { http_proxy: proxy.url, NO_PROXY: 'other,.test' }));
  expect((await direct).code).toBe('HTTP_UNREACHABLE');
  expect(proxy.seen).toHaveLength(2);
});
