import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { selectRuntime } from '../../src/runtime/select-runtime.ts';
import { describeWith, root } from '../support/need.ts';

describeWith({ needs: [root()] }, 'the choice of the runtime', () => {
  let directory: string;
  let options: { directory: string; cacheFile: string };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'slipway-select-'));
    options = { directory, cacheFile: join(directory, 'cache.json') };
    vi.stubEnv('PATH', directory);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true });
  });

  /** A program that says what it was asked to do, and fails. */
  const broken = (name: string, message: string) => {
    const path = join(directory, name);
    const log = `echo x >> ${directory}/calls; while [ "$1" != --log ]; do shift; done; echo '{"level":"error","msg":"${message}"}' > "$2"; exit 1`;
    writeFileSync(path, `#!/bin/sh\n${log}\n`);
    chmodSync(path, 0o755);
  };
  const calls = () => readFileSync(`${directory}/calls`, 'utf8').length / 2;

  test('a runtime that fails its self-test is passed over, with the reason, and not asked again', async () => {
    broken('crun', 'no cgroups');
    broken('runc', 'no mounts');
    const first = await selectRuntime('auto', options);
    expect(first.runtime.name).toBe('embedded');
    expect(first.reason).toBe(
      'crun failed its self-test (crun cannot set up the container: no cgroups); ' +
        'runc failed its self-test (runc cannot set up the container: no mounts)',
    );
    expect(calls()).toBe(2);
    expect(await selectRuntime('auto', options)).toMatchObject({ reason: first.reason });
    expect(calls()).toBe(2);
  });

  test('a program that changed is asked again', async () => {
    broken('crun', 'no cgroups');
    broken('runc', 'no mounts');
    await selectRuntime('auto', options);
    broken('crun', 'no cgroups at all');
    expect((await selectRuntime('auto', options)).reason).toContain('no cgroups at all');
    expect(calls()).toBe(3);
  });

  test('a cache that cannot be read or written is done without', async () => {
    broken('crun', 'no cgroups');
    broken('runc', 'no mounts');
    writeFileSync(options.cacheFile, '{nonsense');
    expect((await selectRuntime('auto', options)).runtime.name).toBe('embedded');
    const nowhere = { directory, cacheFile: '/proc/nowhere' };
    expect((await selectRuntime('auto', nowhere)).runtime.name).toBe('embedded');
  });

  test('a runtime that was asked for by name and does not work is an error', async () => {
    broken('crun', 'no cgroups');
    await expect(selectRuntime('crun', options)).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'RUNTIME_UNSUPPORTED',
    });
  });

  test('the embedded one needs no test', async () => {
    broken('crun', 'x');
    expect(await selectRuntime('embedded', options)).toMatchObject({ reason: '--runtime=embedded' });
  });
});
