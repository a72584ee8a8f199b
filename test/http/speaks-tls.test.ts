import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as httpServer } from 'node:http';
import { createServer as httpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { speaksTls } from '../../src/http/speaks-tls.ts';
import { makeAuthority } from '../registry/authority.ts';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';

const host = '127.0.0.1';

describeWith({ needs: [...REGISTRY_NEEDS, program('openssl')] }, 'speaksTls', () => {
  const folder = suiteFolder('big');
  const plain = testRegistry();
  const tls = testRegistry({ tls: true });
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listening(server: Server): Promise<{ host: string; port: number }> {
    servers.push(server);
    server.listen(0, host);
    await once(server, 'listening');
    return { host, port: (server.address() as AddressInfo).port };
  }

  test('servers of TLS, registries too', async () => {
    const { cert, key } = makeAuthority(folder.path).issue('server');
    const pair = { cert: readFileSync(cert), key: readFileSync(key) };
    for (const minVersion of ['TLSv1.2', 'TLSv1.3'] as const)
      expect(await speaksTls(await listening(httpsServer({ ...pair, minVersion })), 5000)).toBe(true);
    expect(await speaksTls(addressOf(tls.host), 5000)).toBe(true);
  });

  test('servers of HTTP, registries too', async () => {
    expect(await speaksTls(await listening(httpServer()), 5000)).toBe(false);
    expect(await speaksTls(addressOf(plain.host), 5000)).toBe(false);
  });

  test('none, and one that says nothing', async () => {
    const gone = await listening(createServer());
    servers.pop()!.close();
    expect(await speaksTls(gone, 5000)).toBeUndefined();
    expect(await speaksTls(await listening(createServer((socket) => socket.unref())), 10)).toBeUndefined();
    expect(await speaksTls(await listening(createServer((socket) => socket.end())), 5000)).toBeUndefined();
  });
});

function addressOf(text: string): { host: string; port: number } {
  const [name, port] = text.split(':');
  return { host: name!, port: Number(port) };
}
