import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { PASSWORD, USER } from '../registry/users.ts';
import { suiteFolder } from '../support/folders.ts';
import { forwardProxy } from '../support/forward-proxy.ts';
import { describeWith } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

describeWith({ needs: [...REGISTRY_NEEDS] }, 'registries that only a proxy can reach', () => {
  const store = suiteStore();
  const other = suiteStore();
  const folder = suiteFolder('shared');
  const plain = testRegistry();
  const secured = testRegistry({ auth: 'basic', tls: true });
  const proxy = forwardProxy();
  const away = (host: string): string => host.replace('127.0.0.1', 'registry.test');

  beforeAll(() => {
    const docker = join(folder.path, 'docker');
    const certs = join(docker, 'certs.d', away(secured.host));
    mkdirSync(certs, { recursive: true });
    copyFileSync(secured.authority.ca, join(certs, 'ca.crt'));
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    writeFileSync(join(docker, 'config.json'), JSON.stringify({ auths: { [away(secured.host)]: { auth } } }));
    writeFileSync(
      join(folder.path, 'registries.conf'),
      `[[registry]]\nlocation = "${away(plain.host)}"\ninsecure = true\n`,
    );
  });

  const env = (proxied: Record<string, string>) => ({
    env: {
      HOME: folder.path,
      DOCKER_CONFIG: join(folder.path, 'docker'),
      CONTAINERS_REGISTRIES_CONF: join(folder.path, 'registries.conf'),
      SLIPWAY_PULL: 'missing',
      SLIPWAY_RETRY_DELAY_MS: '1',
      ...proxied,
    },
  });

  test('push, FROM and a mount from an image, by http and by https with credentials', async () => {
    const both = { HTTP_PROXY: proxy.url, https_proxy: proxy.url };
    const context = store.context('proxied', {
      Dockerfile: `FROM scratch\nCOPY file /file\n`,
      file: 'from afar\n',
    });
    const base = `${away(secured.host)}/base:1`;
    const tool = `${away(plain.host)}/tool:1`;
    await store.ok(['build', '-q', '--push', '-t', tool, context], env(both));
    await store.ok(['tag', BASE_IMAGE, base], {});
    await store.ok(['push', '-q', base], env(both));
    expect(new Set(proxy.seen)).toEqual(new Set([away(plain.host), away(secured.host)]));

    proxy.seen.length = 0;
    const used = other.context('using', {
      Dockerfile: `FROM ${base}\nRUN --mount=from=${tool},target=/tool cat /tool/file\n`,
    });
    const { stderr } = await other.run(['build', '--progress=plain', used], env(both));
    expect(stderr).toMatch(/^#\d+ \d+\.\d+ from afar$/m);
    expect(new Set(proxy.seen)).toEqual(new Set([away(plain.host), away(secured.host)]));
  });

  test('a proxy with credentials, and one that refuses them, which no message shows', async () => {
    proxy.credentials = 'user:secret';
    const pull = (by: string) =>
      other.run(['pull', '-q', `${away(secured.host)}/base:1`], env({ HTTPS_PROXY: by }));
    const refused = await pull(proxy.url.replace('//', '//user:wrong-secret@'));
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.not.stringContaining('wrong-secret')]);
    expect(refused.stderr).toContain('407');
    expect(await pull(proxy.url.replace('//', '//user:secret@'))).toMatchObject({ exitCode: 0 });
  });

  test('NO_PROXY, and registries of this machine, which no proxy is asked for', async () => {
    const context = store.context('here', { Dockerfile: 'FROM scratch\nLABEL a=b\n' });
    await store.ok(
      ['build', '-q', '--push', '-t', `${plain.host}/here:1`, context],
      env({ HTTP_PROXY: proxy.url }),
    );
    const direct = await store.run(
      ['pull', `${away(plain.host)}/here:1`],
      env({ HTTP_PROXY: proxy.url, no_proxy: 'registry.test' }),
    );
    expect([direct.exitCode, proxy.seen]).toEqual([1, []]);
    expect(direct.stderr).toContain('registry.test');
  });
});
