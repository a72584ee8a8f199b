import { expect, test } from 'vitest';
import { defaultHost, defaultHosts } from '../../src/registry/default-hosts.ts';
import { openRegistryPool } from '../../src/registry/open-pool.ts';
import type { CredentialSource, RegistryHost } from '../../src/registry/types.ts';
import { webServer } from '../support/web-server.ts';

const web = webServer();
const nobody: CredentialSource = { credentialFor: async () => undefined };

test('a registry that nothing is configured for is its own host, with one client', async () => {
  const pool = openRegistryPool({ hosts: defaultHosts, credentials: nobody, env: {} });
  const first = await pool.endpointsFor('localhost:5000', 'a', 'pull');
  const second = await pool.endpointsFor('localhost:5000', 'b', 'resolve');
  expect(first.map(({ repository }) => repository)).toEqual(['a']);
  expect(second[0]!.client).toBe(first[0]!.client);
  expect(second[0]!.client.host).toEqual(defaultHost('localhost:5000'));
  await pool.close();
});

test('mirrors are asked for what they may be asked, by their own names and with their own credentials', async () => {
  web.answers.set('/v2/', (request, response) => {
    if (request.headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else response.end('{}');
  });
  const mirror: RegistryHost = {
    ...defaultHost(new URL(web.url).host),
    scheme: 'http',
    isMirror: true,
    capabilities: ['pull'],
    repository: 'cache/debian',
  };
  const asked: string[] = [];
  const pool = openRegistryPool({
    hosts: {
      hostsFor: async (registry) => [mirror, { ...defaultHost(registry), capabilities: ['resolve'] }],
    },
    credentials: {
      credentialFor: async (name) => {
        asked.push(name);
        return { kind: 'password', username: 'u', password: 'p' };
      },
    },
    env: {},
  });
  const [endpoint, ...more] = await pool.endpointsFor('docker.io', 'library/debian', 'pull');
  await endpoint!.client.ping();
  expect([endpoint!.repository, more, asked]).toEqual(['cache/debian', [], [mirror.name]]);
  const [own] = await pool.endpointsFor('docker.io', 'library/debian', 'resolve');
  expect(own!.client.host.host).toBe('registry-1.docker.io');
  await expect(pool.endpointsFor('docker.io', 'library/debian', 'push')).rejects.toMatchObject({
    kind: 'denied',
    code: 'REGISTRY_BLOCKED',
  });
  await pool.close();
});
