import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { suiteFolder } from '../support/folders.ts';
import { runSlipway, slipway } from '../support/slipway.ts';

describe('what the command line takes from the environment', () => {
  const folder = suiteFolder('big');
  const context = (dockerfile: string): string => {
    const path = join(folder.path, 'context');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'Dockerfile'), dockerfile);
    return path;
  };

  it('a build argument without a value is that variable, and none where there is none', async () => {
    const root = join(folder.path, 'store');
    const options = {
      root,
      cwd: folder.path,
      env: { GIVEN: 'of the environment', EMPTY: '', UNSET: undefined },
    };
    const names = ['GIVEN', 'EMPTY', 'UNSET'];
    const path = context(`FROM scratch
${names.map((name) => `ARG ${name}=default`).join('\n')}
LABEL ${names.map((name) => `${name}="$${name}"`).join(' ')}
`);
    await slipway(
      ['build', '-q', '-t', 'args', ...names.flatMap((name) => ['--build-arg', name]), path],
      options,
    );
    const labels = await slipway(['inspect', '--format', '{{json .Config.Labels}}', 'args'], options);
    expect(JSON.parse(labels)).toEqual({ GIVEN: 'of the environment', EMPTY: '', UNSET: 'default' });
  });

  it('--ssh default is the agent of SSH_AUTH_SOCK, which has to be there', async () => {
    const path = context('FROM scratch\n');
    const build = (socket: string | undefined) =>
      runSlipway(['build', '--ssh', 'default', path], {
        root: join(folder.path, 'store'),
        cwd: folder.path,
        env: { SSH_AUTH_SOCK: socket },
      });
    const [none, missing] = [await build(undefined), await build('/no/such/agent')];
    expect([none.exitCode, missing.exitCode]).toEqual([expect.any(Number), 1]);
    expect(none.stderr).toContain('invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set');
    expect(missing.stderr).toContain('stat /no/such/agent: no such file or directory');
  });
});
