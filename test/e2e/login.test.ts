import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { PASSWORD, USER } from '../registry/users.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';
import { runSlipway } from '../support/slipway.ts';
import { slipwayInTerminal } from '../support/terminal.ts';

describeWith({ needs: [...REGISTRY_NEEDS, program('python3')] }, 'login and logout', () => {
  const folder = suiteFolder('shared');
  const basic = testRegistry({ auth: 'basic' });
  const token = testRegistry({ auth: 'token' });
  let config = '';
  let count = 0;
  beforeEach(() => {
    config = join(folder.path, `config-${count++}`);
    mkdirSync(config);
  });
  const options = () => ({ root: folder.path, env: { DOCKER_CONFIG: config, HOME: folder.path } });
  const run = async (args: string[], input = '') => {
    const { stdout, stderr, exitCode } = await runSlipway(args, { ...options(), input });
    return `${stderr}${stdout}exit code ${exitCode}`
      .replaceAll(config, '<config>')
      .replaceAll(basic.host, '<host>');
  };
  const kept = (): unknown => JSON.parse(readFileSync(join(config, 'config.json'), 'utf8'));

  test('a password from standard input, kept in the file, and used again', async () => {
    expect(
      await run(['login', '-u', USER, '--password-stdin', basic.host], `${PASSWORD}\n`),
    ).toMatchInlineSnapshot(`
      "WARNING! Your password will be stored unencrypted in <config>/config.json.
      Configure a credential helper to remove this warning. See
      https://docs.docker.com/go/credential-store/

      Login Succeeded
      exit code 0"
    `);
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    expect(kept()).toEqual({ auths: { [basic.host]: { auth } } });
    expect(await run(['login', `http://${basic.host}/v1/`])).toMatchInlineSnapshot(`
      "WARNING! Your password will be stored unencrypted in <config>/config.json.
      Configure a credential helper to remove this warning. See
      https://docs.docker.com/go/credential-store/

      Authenticating with existing credentials...
      Login Succeeded
      exit code 0"
    `);
    expect(await run(['logout', basic.host])).toMatchInlineSnapshot(`
      "Removing login credentials for <host>
      exit code 0"
    `);
    expect(kept()).toEqual({ auths: {} });
    expect(await run(['login', basic.host])).toMatchInlineSnapshot(`
      "Error: Cannot perform an interactive login from a non TTY device
      exit code 1"
    `);
    expect(await run(['logout'])).toMatchInlineSnapshot(`
      "Removing login credentials for https://index.docker.io/v1/
      exit code 0"
    `);
  });

  test('-p is warned of; a wrong password is refused and nothing is kept', async () => {
    writeFileSync(join(config, 'config.json'), '{"auths":{}}');
    expect(await run(['login', '-u', USER, '-p', 'wrong', basic.host])).toMatchInlineSnapshot(`
      "WARNING! Using --password via the CLI is insecure. Use --password-stdin.
      Error: login attempt to <host> failed with status: 401 Unauthorized
      exit code 1"
    `);
    expect(kept()).toEqual({ auths: {} });
    expect(await run(['login', '-p', 'x', '--password-stdin', basic.host])).toMatchInlineSnapshot(`
      "WARNING! Using --password via the CLI is insecure. Use --password-stdin.
      Error: --password and --password-stdin are mutually exclusive
      exit code 1"
    `);
    expect(await run(['login', '--password-stdin', basic.host])).toMatchInlineSnapshot(`
      "Error: Must provide --username with --password-stdin
      exit code 1"
    `);
    expect(await run(['login', '-u', USER, '--password-stdin', basic.host])).toMatchInlineSnapshot(`
      "Error: password is empty
      exit code 1"
    `);
  });

  test('on a terminal both are asked for, the password without echo', async () => {
    const result = await slipwayInTerminal(['login', basic.host], {
      ...options(),
      steps: [
        { expect: 'Username: ' },
        { send: `${USER}\n` },
        { expect: 'Password: ' },
        // What is typed by mistake is taken back.
        { send: `x\x15${PASSWORD}é\x7f\r` },
      ],
    });
    const { output, ...rest } = result;
    expect(rest).toEqual({ exitCode: 0, echo: true, canonical: true, left: [] });
    expect(output.replaceAll(config, '<config>').replaceAll('\r\n', '\n')).toMatchInlineSnapshot(`
      "Username: alice
      Password: 
      WARNING! Your password will be stored unencrypted in <config>/config.json.
      Configure a credential helper to remove this warning. See
      https://docs.docker.com/go/credential-store/

      Login Succeeded
      "
    `);
  });

  test('an interrupt at the password leaves the terminal as it was', async () => {
    const { output, ...rest } = await slipwayInTerminal(['login', '-u', USER, basic.host], {
      ...options(),
      steps: [{ expect: 'Password: ' }, { send: 'secret\x03' }],
    });
    expect(rest).toEqual({ exitCode: 1, echo: true, canonical: true, left: [] });
    expect(output).not.toMatch(/secret/);
  });

  test('a registry with tokens asks its token server', async () => {
    const asked = await runSlipway(['login', '-u', USER, '--password-stdin', token.host], {
      ...options(),
      input: PASSWORD,
    });
    expect(asked.stdout).toBe('Login Succeeded\n');
    expect(token.tokens.requests.length).toBeGreaterThan(0);
    const refused = await runSlipway(['login', '-u', USER, '--password-stdin', token.host], {
      ...options(),
      input: 'wrong',
    });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).not.toMatch(/wrong/);
  });
});
