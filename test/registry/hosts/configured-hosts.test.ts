import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SlipwayError } from '../../../src/errors/index.ts';
import { configuredHosts } from '../../../src/registry/hosts/configured-hosts.ts';
import { suiteFolder } from '../../support/folders.ts';

const folder = suiteFolder('shared');
let home = '';
let count = 0;
beforeEach(() => {
  home = join(folder.path, `home-${count++}`);
  mkdirSync(home);
});

function write(path: string, text: string): void {
  const file = join(home, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const registriesConf = (text: string): void => write('.config/containers/registries.conf', text);
const daemon = (value: unknown): void => write('.config/docker/daemon.json', JSON.stringify(value));
const PEM = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n';

/** A line for each host: its address, the name there, what it may be asked for, and what is special. */
async function hosts(registry: string, repository = 'team/app'): Promise<string[]> {
  const found = await configuredHosts({ HOME: home }).hostsFor(registry, repository);
  return found.map((host) => {
    const { scheme, name, port, capabilities, insecure, isMirror } = host;
    const address = `${scheme}://${host.host}${port === undefined ? '' : `:${port}`}${host.pathPrefix}`;
    const words = [address, host.repository ?? repository, `(${name})`, capabilities.join('+')];
    return [...words, ...(isMirror ? ['mirror'] : []), ...(insecure ? ['insecure'] : [])].join(' ');
  });
}

const failure = (promise: Promise<unknown>): Promise<SlipwayError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: SlipwayError) => error,
  );

describe('registries.conf', () => {
  test('the longest prefix counts, at the borders of names', async () => {
    registriesConf(`
unqualified-search-registries = ["quay.example"]
short-name-mode = "enforcing"
[[registry]]
location = "r.example"
insecure = true
[[registry]]
prefix = "r.example/team"
location = "cache.example:5000/a/b"
`);
    expect(await hosts('r.example', 'other/x')).toEqual([
      'https://r.example other/x (r.example) resolve+pull+push insecure',
    ]);
    expect(await hosts('r.example', 'teams/x')).toHaveLength(1);
    expect(await hosts('r.example', 'team/x')).toEqual([
      'https://cache.example:5000 a/b/x (cache.example:5000) resolve+pull',
      'https://r.example team/x (r.example) push',
    ]);
    expect(await hosts('x.r.example')).toEqual([
      'https://x.r.example team/app (x.r.example) resolve+pull+push',
    ]);
  });

  test('mirrors go first, in order, and say what they may be asked for', async () => {
    registriesConf(`
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "m1.example/hub"
[[registry.mirror]]
location = "m2.example:5000"
insecure = true
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "m3.example"
pull-from-mirror = "tag-only"
`);
    expect(await hosts('docker.io', 'library/debian')).toEqual([
      'https://m1.example hub/library/debian (m1.example) resolve+pull mirror',
      'https://m2.example:5000 library/debian (m2.example:5000) pull mirror insecure',
      'https://m3.example library/debian (m3.example) resolve+pull mirror',
      'https://registry-1.docker.io library/debian (docker.io) resolve+pull+push',
    ]);
  });

  test('a prefix with a star, mirror-by-digest-only, drop-ins over the main file', async () => {
    registriesConf('[[registry]]\nprefix = "*.example.com"\ninsecure = true\n');
    write(
      '.config/containers/registries.conf.d/10.conf',
      '[[registry]]\nprefix = "*.example.com"\nlocation = "all.example/x"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.example"\n',
    );
    expect(await hosts('a.example.com')).toEqual([
      'https://m.example team/app (m.example) pull mirror',
      'https://all.example x/team/app (all.example) resolve+pull',
      'https://a.example.com team/app (a.example.com) push',
    ]);
  });

  test('what is blocked is refused, and the file is named', async () => {
    registriesConf('[[registry]]\nlocation = "bad.example"\nblocked = true\n');
    expect(await failure(hosts('bad.example'))).toMatchObject({
      kind: 'denied',
      code: 'REGISTRY_BLOCKED',
      message: `registry bad.example is blocked in ${home}/.config/containers/registries.conf`,
    });
  });

  test('version 1', async () => {
    registriesConf(
      '[registries.search]\nregistries = ["x"]\n[registries.insecure]\nregistries = ["r.example"]\n[registries.block]\nregistries = ["bad.example"]\n',
    );
    expect(await hosts('r.example')).toEqual([
      'https://r.example team/app (r.example) resolve+pull+push insecure',
    ]);
    expect((await failure(hosts('bad.example'))).code).toBe('REGISTRY_BLOCKED');
  });

  test.each([
    ['[[registry]\n', /Invalid TOML/i],
    ['[registry]\nlocation = "x"\n', /registry is not a list of tables: write \[\[registry\]\]$/],
    ['[[registry]]\nlocation = 1\n', /location is not a text$/],
    ['[[registry]]\nlocation = "x"\ninsecure = "no"\n', /insecure is not true or false$/],
    ['[[registry]]\n', /a \[\[registry\]\] has no prefix and no location$/],
    ['[[registry]]\nlocation = "x"\n[[registry.mirror]]\n', /a mirror of x has no location$/],
    [
      '[[registry]]\nlocation = "x"\n[[registry.mirror]]\nlocation = "y"\npull-from-mirror = "z"\n',
      /pull-from-mirror is "z", not/,
    ],
  ])('%j is refused', async (text, message) => {
    registriesConf(text);
    const error = await failure(hosts('r.example'));
    expect(error).toMatchObject({ kind: 'invalid', code: 'REGISTRY_CONFIG' });
    expect(error.message).toMatch(message);
  });
});

describe('daemon.json', () => {
  test('mirrors of Docker Hub alone; insecure registries by name, port and network', async () => {
    daemon({
      'registry-mirrors': ['http://m.example:5000/hub/', 'https://n.example'],
      'insecure-registries': ['r.example:5000', 'all.example', '10.0.0.0/8'],
    });
    expect(await hosts('docker.io', 'library/debian')).toEqual([
      'http://m.example:5000/hub library/debian (m.example:5000) resolve+pull mirror',
      'https://n.example library/debian (n.example) resolve+pull mirror',
      'https://registry-1.docker.io library/debian (docker.io) resolve+pull+push',
    ]);
    const insecure = async (registry: string) => (await hosts(registry))[0]!.endsWith(' insecure');
    expect(
      await Promise.all(
        ['r.example:5000', 'r.example', 'all.example:1', '10.1.2.3:5', '11.1.2.3'].map(insecure),
      ),
    ).toEqual([true, false, true, true, false]);
  });

  test('what makes no sense is refused', async () => {
    daemon({ 'registry-mirrors': ['m.example'] });
    expect((await failure(hosts('docker.io'))).message).toBe(
      `the configuration of registries ${home}/.config/docker/daemon.json cannot be used: invalid mirror: "m.example" is no address of the web`,
    );
  });
});

describe('certs.d', () => {
  const found = async (registry: string) => {
    const [host] = await configuredHosts({ HOME: home }).hostsFor(registry);
    const { ca, clientCertificates, insecure } = host!;
    return { ca, clientCertificates, insecure };
  };

  test('authorities and our own certificates, of this host and port alone', async () => {
    write('.docker/certs.d/r.example:5000/a.crt', PEM);
    write('.config/containers/certs.d/r.example:5000/b.crt', `${PEM}2`);
    write('.config/containers/certs.d/r.example:5000/me.cert', `${PEM}3`);
    write('.config/containers/certs.d/r.example:5000/me.key', `${PEM}4`);
    expect(await found('r.example:5000')).toEqual({
      ca: [PEM, `${PEM}2`],
      clientCertificates: [{ certificate: `${PEM}3`, key: `${PEM}4` }],
      insecure: false,
    });
    expect(await found('r.example')).toEqual({ insecure: false });
  });

  test('a host of this machine whose authority is named must be signed by it', async () => {
    expect(await found('127.0.0.1:5000')).toEqual({ insecure: true });
    write('.docker/certs.d/127.0.0.1:5000/ca.crt', PEM);
    expect(await found('127.0.0.1:5000')).toEqual({ ca: [PEM], insecure: false });
  });

  test("Docker Hub's lie under either of its names", async () => {
    write('.docker/certs.d/registry-1.docker.io/ca.crt', PEM);
    expect((await found('docker.io')).ca).toEqual([PEM]);
  });

  test('a certificate without its key is refused, as is what is none', async () => {
    write('.docker/certs.d/r.example/me.cert', PEM);
    expect((await failure(found('r.example'))).message).toMatch(
      /missing key me\.key for client certificate me\.cert\. CA certificates must use the extension \.crt$/,
    );
    write('.docker/certs.d/x.example/ca.crt', 'abc');
    expect((await failure(found('x.example'))).message).toMatch(/it holds nothing in PEM$/);
  });
});
