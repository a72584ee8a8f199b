import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';
import { REGISTRY_NEEDS, testRegistry } from './servers.ts';
import { PASSWORD, USER } from './users.ts';

describeWith({ needs: [...REGISTRY_NEEDS, program('skopeo')] }, 'the registries of the tests', () => {
  const folder = suiteFolder('big');
  const plain = testRegistry();
  const basic = testRegistry({ auth: 'basic', tls: true });
  const token = testRegistry({ auth: 'token' });

  test('another client pushes to each of them with credentials, and is refused without', async () => {
    const layout = join(folder.path, 'layout');
    makeLayout(layout);
    const credentials = `--dest-creds=${USER}:${PASSWORD}`;
    const push = (host: string, ...flags: string[]): Promise<string> =>
      skopeo('copy', ...flags, `oci:${layout}:it`, `docker://${host}/team/it:1`);
    const trusting = (authority: string): string => {
      const certs = join(folder.path, 'certs');
      mkdirSync(certs, { recursive: true });
      writeFileSync(join(certs, 'ca.crt'), readFileSync(authority));
      return `--dest-cert-dir=${certs}`;
    };
    const results = [
      await push(plain.host, '--dest-tls-verify=false'),
      await push(basic.host, trusting(basic.authority.ca)),
      await push(basic.host, trusting(basic.authority.ca), credentials),
      await push(token.host, '--dest-tls-verify=false'),
      await push(token.host, '--dest-tls-verify=false', credentials),
    ];
    expect(results).toEqual(['', 'unauthorized', '', 'denied', '']);
    expect(token.tokens.requests.at(-1)?.params.scope).toBe('repository:team/it:pull,push');
  });
});

function makeLayout(path: string): void {
  execFileSync('umoci', ['init', '--layout', path]);
  execFileSync('umoci', ['new', '--image', `${path}:it`]);
}

/** Runs it; gives what kind of failure it reports, or nothing. */
function skopeo(...args: string[]): Promise<string> {
  // The token server is in this process, which must not wait.
  return new Promise((resolve) => {
    execFile('skopeo', ['--insecure-policy', ...args], (error, _, stderr) => {
      if (error === null) resolve('');
      else resolve(/unauthorized|denied/.exec(stderr)?.[0] ?? stderr);
    });
  });
}
