import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SlipwayError } from '../../../src/errors/index.ts';
import { openCredentialStore } from '../../../src/registry/credentials/credential-store.ts';
import { helperList } from '../../../src/registry/credentials/helper.ts';
import { suiteFolder } from '../../support/folders.ts';

const folder = suiteFolder('shared');
let home = '';
let count = 0;
beforeEach(() => {
  home = join(folder.path, `home-${count++}`);
  mkdirSync(join(home, '.docker'), { recursive: true });
});

const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  HOME: home,
  XDG_RUNTIME_DIR: join(home, 'run'),
  PATH: `${join(home, 'bin')}:${process.env.PATH}`,
  ...more,
});
const store = (more: NodeJS.ProcessEnv = {}) => openCredentialStore({ env: env(more) });
const configFile = (): string => join(home, '.docker/config.json');
const config = (value: unknown): void => writeFileSync(configFile(), JSON.stringify(value));
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret });
const failure = (promise: Promise<unknown>): Promise<SlipwayError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: SlipwayError) => error,
  );

/** A helper that keeps one file per server in a folder, and notes how it was called. */
function helper(name: string): string {
  const kept = join(home, `kept-by-${name}`);
  mkdirSync(kept, { recursive: true });
  mkdirSync(join(home, 'bin'), { recursive: true });
  const path = join(home, `bin/docker-credential-${name}`);
  writeFileSync(
    path,
    `#!/bin/sh
kept='${kept}'
text=$(cat)
server=$text
[ $1 = store ] && server=$(printf %s "$text" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/')
printf '%s %s\\n' "$1" "$server" >> "$kept/../calls"
file=$kept/$(printf %s "$server" | tr / _)
case $1 in
store) printf %s "$text" > "$file" ;;
list)
  printf '{'
  sep=
  for one in "$kept"/*; do
    printf %s "$sep"
    sed 's/.*"ServerURL":\\("[^"]*"\\).*"Username":\\("[^"]*"\\).*/\\1:\\2/' "$one"
    sep=,
  done
  printf '}' ;;
*)
  [ -e "$file" ] || { echo 'credentials not found in native keychain'; exit 1; }
  if [ $1 = erase ]; then rm "$file"; else cat "$file"; fi ;;
esac
`,
  );
  chmodSync(path, 0o755);
  return kept;
}

describe('config.json', () => {
  test.each([
    [
      'the host as it stands',
      'r.example:5000',
      { 'r.example:5000': { auth: base64('a:b:c') } },
      password('a', 'b:c'),
    ],
    [
      'a key with scheme and path',
      'r.example',
      { 'https://r.example/v1/': { auth: base64('a:b') } },
      password('a', 'b'),
    ],
    [
      'the exact key before another',
      'r.example',
      { 'http://r.example': { auth: base64('x:y') }, 'r.example': { auth: base64('a:b') } },
      password('a', 'b'),
    ],
    [
      "Docker Hub's key",
      'docker.io',
      { 'https://index.docker.io/v1/': { auth: base64('a:b') } },
      password('a', 'b'),
    ],
    ['a member for each', 'r.example', { 'r.example': { username: 'a', password: 'b' } }, password('a', 'b')],
    [
      'an identity token',
      'r.example',
      { 'r.example': { auth: base64('a:'), identitytoken: 't' } },
      { kind: 'identity-token', token: 't' },
    ],
    [
      'a registry token',
      'r.example',
      { 'r.example': { registrytoken: 't' } },
      { kind: 'registry-token', token: 't' },
    ],
    ['zero bytes at the end', 'r.example', { 'r.example': { auth: base64('a:b\0\0') } }, password('a', 'b')],
    ['another port', 'r.example', { 'r.example:5000': { auth: base64('a:b') } }, undefined],
    [
      'a host that it is a part of',
      'r.example',
      { 'evil-r.example': { auth: base64('a:b') }, 'r.example.evil': { auth: base64('a:b') } },
      undefined,
    ],
    [
      'a path of the host that is another registry',
      'r.example',
      { 'evil/r.example': { auth: base64('a:b') } },
      undefined,
    ],
    ['an entry that says nothing', 'r.example', { 'r.example': {} }, undefined],
    ['a name of objects in general', 'constructor', {}, undefined],
  ])('%s', async (_, name, auths, expected) => {
    config({ auths });
    expect(await store().credentialFor(name)).toEqual(expected);
  });

  test('DOCKER_CONFIG names another folder', async () => {
    config({ auths: { 'r.example': { auth: base64('a:b') } } });
    const elsewhere = join(home, 'elsewhere');
    expect(await store({ DOCKER_CONFIG: elsewhere }).credentialFor('r.example')).toBeUndefined();
  });

  test('one entry is written, for its owner alone, and everything else stays', async () => {
    const path = configFile();
    config({ psFormat: 'x', auths: { other: { auth: 'b3RoZXI6eA==' } }, plugins: { a: { b: 1 } } });
    chmodSync(path, 0o644);
    expect(
      await store().store('http://r.example/v1/', { kind: 'password', username: 'a', password: 'b' }),
    ).toEqual({
      plainFile: path,
    });
    expect(readFileSync(path, 'utf8')).toBe(`{
	"psFormat": "x",
	"auths": {
		"other": {
			"auth": "b3RoZXI6eA=="
		},
		"r.example": {
			"auth": "YTpi"
		}
	},
	"plugins": {
		"a": {
			"b": 1
		}
	}
}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(home, '.docker'))).toEqual(['config.json']);
    expect(await store().erase('r.example')).toBe(true);
    expect(await store().erase('r.example')).toBe(false);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
      psFormat: 'x',
      auths: { other: { auth: 'b3RoZXI6eA==' } },
      plugins: { a: { b: 1 } },
    });
  });

  test('a link is written through, a folder that is not there is made', async () => {
    symlinkSync(join(home, 'real.json'), configFile());
    writeFileSync(join(home, 'real.json'), '{}');
    await store().store('docker.io', { kind: 'identity-token', token: 't' });
    expect(JSON.parse(readFileSync(join(home, 'real.json'), 'utf8'))).toEqual({
      auths: { 'https://index.docker.io/v1/': { identitytoken: 't' } },
    });
    const elsewhere = join(home, 'a/b');
    await store({ DOCKER_CONFIG: elsewhere }).store('x.example', { kind: 'registry-token', token: 't' });
    expect(readdirSync(elsewhere)).toEqual(['config.json']);
  });

  test('what makes no sense is refused and not shown', async () => {
    writeFileSync(configFile(), '{"auths": {"r.example": {"auth": "c2VjcmV0');
    const broken = await failure(store().credentialFor('r.example'));
    expect(`${broken.message}${String(broken.cause ?? '')}`).not.toMatch(/c2Vjc/);
    expect(broken).toMatchObject({ kind: 'invalid', code: 'CREDENTIALS_INVALID' });
    config({ auths: { 'r.example': { auth: base64('secret') } } });
    expect(await failure(store().credentialFor('r.example'))).toMatchObject({
      code: 'CREDENTIALS_INVALID',
      message: 'invalid auth configuration file: the entry of r.example has no user',
    });
  });
});

describe('helpers', () => {
  test('one for all registries gets, keeps and forgets; the file then holds names alone', async () => {
    const kept = helper('all');
    config({ credsStore: 'all' });
    const credentials = store();
    expect(await credentials.credentialFor('docker.io')).toBeUndefined();
    expect(await credentials.store('docker.io', { kind: 'password', username: 'a', password: 'b' })).toEqual(
      {},
    );
    expect(await credentials.credentialFor('docker.io')).toEqual(password('a', 'b'));
    await credentials.store('r.example', { kind: 'identity-token', token: 't' });
    expect(await credentials.credentialFor('r.example')).toEqual({ kind: 'identity-token', token: 't' });
    expect(await helperList('all', { env: env() })).toEqual({
      'https://index.docker.io/v1/': 'a',
      'r.example': '<token>',
    });
    expect(JSON.parse(readFileSync(configFile(), 'utf8'))).toEqual({
      credsStore: 'all',
      auths: { 'https://index.docker.io/v1/': {}, 'r.example': {} },
    });
    expect(await credentials.erase('docker.io')).toBe(true);
    expect(readdirSync(kept)).toEqual(['r.example']);
    expect(readFileSync(join(home, 'calls'), 'utf8').split('\n')).toEqual([
      'get https://index.docker.io/v1/',
      'store https://index.docker.io/v1/',
      'get https://index.docker.io/v1/',
      'store r.example',
      'get r.example',
      'list ',
      'erase https://index.docker.io/v1/',
      '',
    ]);
  });

  test('one for a single registry goes first, and hides what the file has', async () => {
    helper('one');
    config({
      credsStore: 'not-there',
      credHelpers: { 'r.example': 'one' },
      auths: { 'r.example': { auth: base64('a:b') } },
    });
    expect(await store().credentialFor('r.example')).toBeUndefined();
    expect(await failure(store().credentialFor('other.example'))).toMatchObject({
      kind: 'unavailable',
      code: 'CREDENTIAL_HELPER',
      message: 'error getting credentials - the helper not-there: docker-credential-not-there is not on PATH',
    });
  });

  test('a failure is told, and no path becomes a program', async () => {
    mkdirSync(join(home, 'bin'));
    const path = join(home, 'bin/docker-credential-broken');
    writeFileSync(path, '#!/bin/sh\necho "the keychain is locked"\necho secret\nexit 1\n');
    chmodSync(path, 0o755);
    config({ credHelpers: { 'r.example': 'broken', 'x.example': '../../bin/evil' } });
    expect((await failure(store().credentialFor('r.example'))).message).toBe(
      'error getting credentials - the helper broken: the keychain is locked',
    );
    expect((await failure(store().credentialFor('x.example'))).message).toBe(
      'error getting credentials - the helper ../../bin/evil: that is not the name of a helper',
    );
  });
});

test('what podman keeps is read where Docker has nothing', async () => {
  mkdirSync(join(home, 'run/containers'), { recursive: true });
  const auths = { 'r.example': { auth: base64('p:q') }, 'r.example/team': { auth: base64('x:y') } };
  writeFileSync(join(home, 'run/containers/auth.json'), JSON.stringify({ auths }));
  expect(await store().credentialFor('r.example')).toEqual(password('p', 'q'));
  config({ auths: { 'r.example': { auth: base64('a:b') } } });
  expect(await store().credentialFor('r.example')).toEqual(password('a', 'b'));
  const file = join(home, 'auth.json');
  writeFileSync(file, JSON.stringify({ auths: { 'z.example': { auth: base64('p:q') } } }));
  expect(await store({ REGISTRY_AUTH_FILE: file }).credentialFor('z.example')).toEqual(password('p', 'q'));
});
