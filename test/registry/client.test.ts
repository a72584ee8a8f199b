import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it, test } from 'vitest';
import { SlipwayError } from '../../src/errors/index.ts';
import { digestOf } from '../../src/image/digest.ts';
import { OCI } from '../../src/image/media-types.ts';
import { defaultHost } from '../../src/registry/default-hosts.ts';
import { openRegistryClient, type RegistryClientOptions } from '../../src/registry/registry-client.ts';
import { registryFailure } from '../../src/registry/registry-error.ts';
import type { Credential, RegistryClient, RegistryHost } from '../../src/registry/types.ts';
import { describeWith } from '../support/need.ts';
import { webServer } from '../support/web-server.ts';
import { REGISTRY_NEEDS, type TestRegistry, testRegistry } from './servers.ts';
import { PASSWORD, USER } from './users.ts';

const opened: RegistryClient[] = [];
afterEach(async () => {
  for (const client of opened.splice(0)) await client.close();
});

const alice: Credential = { kind: 'password', username: USER, password: PASSWORD };

async function open(
  registry: string,
  credential?: Credential,
  more: { host?: Partial<RegistryHost> } & Partial<Omit<RegistryClientOptions, 'host'>> = {},
): Promise<RegistryClient> {
  const client = await openRegistryClient({
    intent: 'push',
    credential: async () => credential,
    http: { env: {}, delayMs: 1 },
    ...more,
    host: { ...defaultHost(registry), ...more.host },
  });
  opened.push(client);
  return client;
}

/** What certs.d says of a registry with TLS: it is to be trusted, and nothing else. */
function trusting(registry: TestRegistry): { host: Partial<RegistryHost> } {
  return { host: { insecure: false, ca: [readFileSync(registry.authority.ca, 'utf8')] } };
}

async function failure(
  work: Promise<unknown>,
): Promise<{ kind: string; code: string; message: string; status?: number }> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SlipwayError)) throw error;
  const { kind, code, message } = error;
  const status = registryFailure(error)?.status;
  return { kind, code, message, ...(status === undefined ? {} : { status }) };
}

async function upload(client: RegistryClient, repository: string, bytes: Buffer): Promise<string> {
  await client.putUpload(await client.startUpload(repository), digestOf(bytes), bytes);
  return digestOf(bytes);
}

async function pushImage(client: RegistryClient, repository: string, tag: string): Promise<Buffer> {
  const config = Buffer.from(
    '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
  );
  const digest = await upload(client, repository, config);
  const descriptor = { mediaType: OCI.config, digest, size: config.length };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI.manifest, config: descriptor, layers: [] }),
  );
  expect(await client.putManifest(repository, tag, { mediaType: OCI.manifest, bytes })).toBe(digestOf(bytes));
  return bytes;
}

describeWith({ needs: REGISTRY_NEEDS }, 'client of a real registry', () => {
  const plain = testRegistry();
  const basic = testRegistry({ auth: 'basic', tls: true });
  const token = testRegistry({ auth: 'token' });

  test('manifests by tag and digest', async () => {
    const client = await open(plain.host);
    await client.ping();
    const bytes = await pushImage(client, 'client/manifests', 'one');
    const digest = digestOf(bytes);
    const expected = { mediaType: OCI.manifest, digest };
    expect(await client.getManifest('client/manifests', 'one')).toEqual({ ...expected, bytes });
    expect(await client.getManifest('client/manifests', digest)).toEqual({ ...expected, bytes });
    expect(await client.headManifest('client/manifests', 'one')).toEqual({ ...expected, size: bytes.length });
    expect(await client.getManifest('client/manifests', 'two')).toBeUndefined();
    expect(await client.headManifest('client/manifests', 'two')).toBeUndefined();
    expect(await client.headManifest('client/none', 'two')).toBeUndefined();
  });

  test('blobs: whole, in chunks, mounted, and from the middle', async () => {
    const client = await open(plain.host);
    const bytes = randomBytes(300_000);
    const digest = digestOf(bytes);
    expect(await client.headBlob('client/blobs', digest)).toBeUndefined();
    let going = await client.startUpload('client/blobs');
    going = await client.patchUpload(going, bytes.subarray(0, 100_000));
    expect((await client.uploadStatus(going))?.offset).toBe(100_000);
    async function* rest(): AsyncGenerator<Buffer> {
      yield bytes.subarray(100_000, 200_000);
    }
    going = await client.patchUpload(going, { size: 100_000, open: rest });
    await client.putUpload(going, digest, bytes.subarray(200_000));
    expect(await client.headBlob('client/blobs', digest)).toBe(bytes.length);
    expect(await client.mountBlob('client/mounted', digest, 'client/blobs')).toBeUndefined();
    const whole = await client.getBlob('client/mounted', digest);
    expect(await buffer(whole.body)).toEqual(bytes);
    const part = await client.getBlob('client/mounted', digest, { from: 250_000 });
    expect([part.start, part.size]).toEqual([250_000, 300_000]);
    expect(await buffer(part.body)).toEqual(bytes.subarray(250_000));
    const refused = await client.mountBlob('client/mounted', `sha256:${'0'.repeat(64)}`, 'client/blobs');
    await client.cancelUpload(refused!);
    expect(await client.uploadStatus(refused!)).toBeUndefined();
  });

  test('lists of tags and repositories, page by page', async () => {
    const client = await open(plain.host);
    const tags = ['a', 'b', 'c'];
    for (const tag of tags) await pushImage(client, 'client/tags', tag);
    const listed: string[] = [];
    for await (const tag of client.listTags('client/tags')) listed.push(tag);
    expect(listed.toSorted()).toEqual(tags);
    const repositories: string[] = [];
    for await (const name of client.catalog()) repositories.push(name);
    expect(repositories).toContain('client/tags');
    expect(await failure(client.listTags('client/none')[Symbol.asyncIterator]().next())).toEqual({
      kind: 'not-found',
      code: 'REGISTRY_NAME_UNKNOWN',
      message: 'name unknown: repository name not known to registry',
      status: 404,
    });
  });

  test('Basic: with the password, without, with another', async () => {
    await (await open(basic.host, alice)).ping();
    const client = await open(basic.host, alice, trusting(basic));
    await pushImage(client, 'client/basic', 'one');
    const denied = {
      kind: 'denied',
      code: 'REGISTRY_UNAUTHORIZED',
      message: 'unauthorized: authentication required',
      status: 401,
    };
    expect(await failure((await open(basic.host)).ping())).toEqual(denied);
    const wrong = await open(basic.host, { ...alice, password: 'wrong one' });
    expect(await failure(wrong.ping())).toEqual(denied);
  });

  test('Bearer: one token for each scope, for nobody, by password and by identity token', async () => {
    const { requests } = token.tokens;
    requests.length = 0;
    const client = await open(token.host, alice, trusting(token));
    await pushImage(client, 'client/token', 'one');
    const named = { method: 'GET', params: { account: USER, service: 'registry of the tests' } };
    const scope = 'repository:client/token:pull,push';
    expect(requests.map(({ method, params }) => ({ method, params }))).toEqual([
      { ...named, params: { ...named.params, scope } },
    ]);
    requests.length = 0;
    const nobody = await open(token.host, undefined, { intent: 'pull' });
    expect(await nobody.headManifest('client/token', 'one')).toBeDefined();
    expect(requests.map(({ authorization, params }) => [authorization, params.scope])).toEqual([
      [undefined, 'repository:client/token:pull'],
    ]);
    expect((await failure(nobody.startUpload('client/token'))).kind).toBe('denied');
    requests.length = 0;
    const identity: Credential = { kind: 'identity-token', token: token.tokens.identityToken };
    await pushImage(await open(token.host, identity, trusting(token)), 'client/token', 'two');
    expect(requests.map(({ method, params }) => [method, params.grant_type])).toEqual([
      ['POST', 'refresh_token'],
    ]);
  });

  test('a token that the registry takes no more is replaced', async () => {
    token.tokens.requests.length = 0;
    token.tokens.validFor = -60;
    const client = await open(token.host, alice, trusting(token));
    expect((await failure(client.headBlob('client/late', digestOf('')))).kind).toBe('denied');
    token.tokens.validFor = 300;
    const before = token.tokens.requests.length;
    expect(await client.headBlob('client/late', digestOf(''))).toBeUndefined();
    expect(await client.headBlob('client/late', digestOf('a'))).toBeUndefined();
    expect(token.tokens.requests.length - before).toBe(1);
  });

  test('a certificate that nobody vouches for', async () => {
    const client = await open(token.host, alice, { host: { insecure: false } });
    expect(await failure(client.ping())).toEqual({
      kind: 'unavailable',
      code: 'REGISTRY_UNREACHABLE',
      message: `Get "${token.url}/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    });
  });
});

describe('client of a server that does what it should not', () => {
  const web = webServer();
  const host = (): string => new URL(web.url).host;
  const clear = { host: { scheme: 'http' as const } };
  const digest = digestOf('content');

  it('sends credentials to no other host', async () => {
    web.answers.set(`/v2/x/blobs/${digest}`, (request, response) => {
      if (request.headers.authorization === undefined)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(307, { location: `${web.otherUrl}/elsewhere` }).end();
    });
    web.answers.set('/elsewhere', (_, response) => response.end('content'));
    const client = await open(host(), alice, clear);
    const { body } = await client.getBlob('x', digest);
    expect((await buffer(body)).toString()).toBe('content');
    expect(web.requests.map(({ url, headers }) => [url, headers.authorization !== undefined])).toEqual([
      [`/v2/x/blobs/${digest}`, false],
      [`/v2/x/blobs/${digest}`, true],
      ['/elsewhere', false],
    ]);
  });

  it('sends none to an upload elsewhere', async () => {
    web.answers.set('/v2/x/blobs/uploads/', (request, response) => {
      if (request.headers.authorization === undefined)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(202, { location: `${web.otherUrl}/put` }).end();
    });
    web.answers.set('/put', (_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Basic realm="y"' }).end(),
    );
    const client = await open(host(), alice, clear);
    const going = await client.startUpload('x');
    expect((await failure(client.putUpload(going, digest, Buffer.from('content')))).status).toBe(401);
    expect(web.requests.at(-1)!.headers.authorization).toBeUndefined();
  });

  it('shows no secret that the server repeats, and no more than a little of a page', async () => {
    web.answers.set('/v2/', (request, response) => {
      const { authorization } = request.headers;
      if (authorization === undefined)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (request.url === '/v2/')
        response.writeHead(403).end(`${authorization} ${PASSWORD} ${'x'.repeat(1 << 20)}`);
    });
    const { message } = await failure((await open(host(), alice, clear)).ping());
    expect(message).toContain(`Get "${web.url}/v2/": unexpected status 403: Basic xxxxx xxxxx xx`);
    expect(message.length).toBeLessThan(400);
  });

  it('tries again when it is told to come later, and says so in the end', async () => {
    let asked = 0;
    web.answers.set('/v2/', (_, response) => {
      asked++;
      if (asked < 3) response.writeHead(429, { 'retry-after': '0' }).end();
      else response.end('{}');
    });
    await (await open(host(), undefined, clear)).ping();
    expect(asked).toBe(3);
    web.answers.set('/v2/', (_, response) =>
      response.writeHead(429).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}'),
    );
    expect(await failure((await open(host(), undefined, clear)).ping())).toEqual({
      kind: 'unavailable',
      code: 'REGISTRY_TOOMANYREQUESTS',
      message: 'toomanyrequests: slow down',
      status: 429,
    });
  });

  it('refuses manifests that are others, and ones without end', async () => {
    web.answers.set(`/v2/x/manifests/${digest}`, (_, response) => response.end('other content'));
    web.answers.set('/v2/x/manifests/big', (_, response) => response.end(Buffer.alloc(9 << 20)));
    const client = await open(host(), undefined, clear);
    expect(await failure(client.getManifest('x', digest))).toMatchObject({
      kind: 'corrupt',
      code: 'DIGEST_MISMATCH',
    });
    expect(await failure(client.getManifest('x', 'big'))).toMatchObject({ code: 'DOCUMENT_TOO_LARGE' });
  });

  it('follows pages of one list of this host alone', async () => {
    web.answers.set('/v2/x/tags/list', (request, response) => {
      const first = !request.url!.includes('last=');
      if (first) response.setHeader('link', `<${web.otherUrl}/v2/y/tags/list?n=2&last=b>; rel="next"`);
      response.end(JSON.stringify({ name: 'x', tags: first ? ['a', 'b'] : ['c'] }));
    });
    const client = await open(host(), undefined, clear);
    const tags: string[] = [];
    for await (const tag of client.listTags('x')) tags.push(tag);
    expect(tags).toEqual(['a', 'b', 'c']);
    expect(web.requests.map(({ url, headers }) => [url, headers.host])).toEqual([
      ['/v2/x/tags/list', host()],
      ['/v2/x/tags/list?n=2&last=b', host()],
    ]);
  });

  it('says in words that nobody is there', async () => {
    const client = await open('127.0.0.1:1');
    expect(await failure(client.ping())).toEqual({
      kind: 'unavailable',
      code: 'REGISTRY_UNREACHABLE',
      message: 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
    });
  });
});
