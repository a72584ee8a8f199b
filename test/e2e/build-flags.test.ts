import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { slipwayCommand } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const DOCKERFILE = `FROM ${BASE_IMAGE} AS first
ARG VALUE=default
RUN echo $VALUE > /value
FROM ${BASE_IMAGE} AS second
COPY file /file
`;
const FAILING = `FROM ${BASE_IMAGE}\nRUN exit 9\n`;
const ID = /^sha256:[0-9a-f]{64}$/;

describe('flags of build', () => {
  const store = suiteStore();
  let context: string;

  beforeAll(() => {
    context = store.context('flags', { Dockerfile: DOCKERFILE, Failing: FAILING, file: 'content\n' });
  });

  const id = async (name: string): Promise<string> =>
    (JSON.parse(await store.ok(['inspect', name])) as [{ Id: string }])[0].Id;

  it('-q prints the id alone, and of a failure the end of its log', async () => {
    const quiet = await store.run(['build', '-q', context]);
    expect(quiet).toMatchObject({ exitCode: 0, stderr: '' });
    expect(quiet.stdout.trimEnd()).toMatch(ID);
    const failed = await store.run(['build', '-q', '-f', join(context, 'Failing'), context]);
    expect(failed).toMatchObject({ exitCode: 1, stdout: '' });
    expect(failed.stderr).toContain('exit code: 9');
  });

  it('--iidfile has the id without a line end, and none of an earlier build after a failure', async () => {
    const file = join(context, 'iid');
    await store.ok(['build', '--iidfile', file, '-t', 'flags/iid', context]);
    expect(readFileSync(file, 'utf8')).toBe(await id('flags/iid'));
    expect(
      (await store.run(['build', '--iidfile', file, '-f', join(context, 'Failing'), context])).exitCode,
    ).toBe(1);
    expect(existsSync(file)).toBe(false);
    const nowhere = await store.run(['build', '--iidfile', '/no/such/folder/iid', context]);
    expect(nowhere.exitCode).toBe(1);
    expect(nowhere.stderr).toContain('the image ID cannot be written to /no/such/folder/iid');
  });

  it('-t gives several names and moves them', async () => {
    await store.ok(['build', '-t', 'flags/a', '-t', 'flags/b:v1', '--label', 'n=1', context]);
    const first = await id('flags/a');
    expect(await id('flags/b:v1')).toBe(first);
    await store.ok(['build', '-t', 'flags/a', '--label', 'n=2', context]);
    expect(await id('flags/a')).not.toBe(first);
    expect(await id('flags/b:v1')).toBe(first);
  });

  it('-o writes all forms at once', async () => {
    const out = join(context, '../outputs');
    const flags = [
      `type=docker,dest=${out}/docker.tar`,
      `type=oci,dest=${out}/oci.tar`,
      `type=oci,dest=${out}/oci,tar=false`,
      `type=tar,dest=${out}/root.tar`,
      `type=local,dest=${out}/local`,
      `${out}/bare`,
    ].flatMap((value) => ['-o', value]);
    execFileSync('mkdir', [out]);
    await store.ok(['build', ...flags, context]);
    const tar = (name: string): string[] =>
      execFileSync('tar', ['-tf', join(out, name)], { encoding: 'utf8' }).split('\n');
    expect(readdirSync(out).sort()).toEqual(['bare', 'docker.tar', 'local', 'oci', 'oci.tar', 'root.tar']);
    expect(tar('docker.tar')).toContain('manifest.json');
    expect(tar('oci.tar')).toContain('oci-layout');
    expect(tar('root.tar')).toContain('file');
    expect(existsSync(join(out, 'oci/oci-layout'))).toBe(true);
    for (const name of ['local', 'bare'])
      expect(readFileSync(join(out, name, 'file'), 'utf8')).toBe('content\n');
  });

  it.each([
    ['-o', '-'],
    ['-q', '-o', '-'],
    ['-q', '-o', 'type=docker,dest=-'],
    ['--progress=rawjson', '-o', 'type=oci'],
  ])('%s %s writes an archive and nothing else on standard output', (...flags) => {
    const [program, ...args] = slipwayCommand(['build', ...flags, context]);
    const { stdout, status } = spawnSync(program!, args, {
      env: { ...process.env, SLIPWAY_ROOT: store.root },
      maxBuffer: 1e9,
    });
    expect(status).toBe(0);
    // GNU tar refuses what does not belong to an archive, and cmp shows that its end is the end.
    expect(stdout.length % 512).toBe(0);
    expect(stdout.subarray(-1024).every((byte) => byte === 0)).toBe(true);
    execFileSync('tar', ['-tf', '-'], { input: stdout, stdio: ['pipe', 'ignore', 'pipe'] });
  });

  it('-o to standard output twice is refused, and a reader that goes away is an error', async () => {
    expect(await store.run(['build', '-o', '-', '-o', 'type=oci', context])).toMatchObject({
      exitCode: 1,
      stdout: '',
    });
    const command = slipwayCommand(['build', '-o', 'type=docker,dest=-', context]).join(' ');
    const gone = spawnSync(
      'bash',
      ['-c', `${command} 2>/dev/null | head -c 10 >/dev/null; echo \${PIPESTATUS[0]}`],
      {
        env: { ...process.env, SLIPWAY_ROOT: store.root },
        encoding: 'utf8',
        timeout: 60_000,
      },
    );
    expect(gone.stdout).toMatch(/^(1|141)\n$/);
  });

  it('--platform takes this machine, and others where nothing has to run', async () => {
    const [own, other] = process.arch === 'x64' ? ['amd64', 'arm64'] : ['arm64', 'amd64'];
    const copied = store.context('copied', { Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
    const built = async (platform: string): Promise<string> => {
      await store.ok(['build', '--platform', platform, '-t', 'flags/platform', copied]);
      return store.ok(['inspect', '-f', '{{.Os}}/{{.Architecture}}', 'flags/platform']);
    };
    expect(await built('local')).toBe(`linux/${own}\n`);
    expect(await built(`linux/${own}`)).toBe(`linux/${own}\n`);
    expect(await built(`linux/${other}`)).toBe(`linux/${other}\n`);
  });

  it('--build-arg takes values from the environment and names those that nothing asks for', async () => {
    const build = async (...flags: string[]) => {
      const result = await store.run(
        ['build', '--progress=plain', '--target', 'first', '-t', 'flags/args', ...flags, context],
        { env: { VALUE: 'from here', ABSENT: undefined } },
      );
      expect(result.exitCode).toBe(0);
      return [
        await store.ok(['run', 'flags/args', 'cat', '/value']),
        result.stderr.match(/^\[Warning\].*$/m)?.[0],
      ];
    };
    expect(await build()).toEqual(['default\n', undefined]);
    expect(await build('--build-arg', 'VALUE')).toEqual(['from here\n', undefined]);
    expect(await build('--build-arg', 'VALUE=given', '--build-arg', 'ABSENT')).toEqual([
      'given\n',
      undefined,
    ]);
    expect(await build('--build-arg', 'ZZ=1', '--build-arg', 'AA=2', '--build-arg', 'HTTP_PROXY=')).toEqual([
      'default\n',
      '[Warning] One or more build-args [AA ZZ] were not consumed',
    ]);
  });

  it('warnings stand at the end of a build, under their number', async () => {
    const text = `from ${BASE_IMAGE} AS a\nMAINTAINER me\nFROM a\nCMD echo hi\n`;
    const { stderr } = await store.run(['build', '--progress=plain', '-f', '-', context], { input: text });
    expect(stderr.slice(stderr.indexOf('warnings found') - 5)).toMatchInlineSnapshot(`
      "

       4 warnings found:
       - FromAsCasing: 'AS' and 'from' keywords' casing do not match (line 1)
       - ConsistentInstructionCasing: Command 'from' should match the case of the command majority (uppercase) (line 1)
       - MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)
       - JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line 4)
      "
    `);
  });

  it('--target, --no-cache, --jobs and -f do what they say', async () => {
    const steps = async (...flags: string[]): Promise<string[]> => {
      const { stderr } = await store.run(['build', '--progress=plain', ...flags, context]);
      return stderr
        .split('\n')
        .filter((line) => /^#\d+ \[|CACHED|DONE/.test(line))
        .map((line) => line.replace(/\d+\.\d+s/, '(s)'));
    };
    expect(await steps('--target', 'first')).not.toContainEqual(expect.stringContaining('COPY'));
    expect(await steps()).not.toContainEqual(expect.stringContaining('RUN'));
    expect((await steps()).filter((line) => line.endsWith('CACHED'))).toHaveLength(2);
    expect((await steps('--no-cache', '--jobs', '1')).filter((line) => line.endsWith('CACHED'))).toHaveLength(
      1,
    );
    expect((await store.run(['build', '--target', 'third', context])).stderr).toContain('third');
  });

  it('Dockerfile and context come from standard input', async () => {
    const build = async (args: string[], input: string | Buffer) => {
      await store.ok(['build', '-t', 'flags/stdin', ...args], { input });
      return store.ok([
        'run',
        'flags/stdin',
        'sh',
        '-c',
        'cat /file 2>/dev/null; cat /value 2>/dev/null || true',
      ]);
    };
    const alone = `FROM ${BASE_IMAGE}\nRUN echo alone > /value\n`;
    expect(await build(['-'], alone)).toBe('alone\n');
    expect(await build(['-f', '-', context], `FROM ${BASE_IMAGE}\nCOPY file /file\n`)).toBe('content\n');
    for (const flags of ['-cf', '-czf']) {
      const archive = execFileSync('tar', [flags, '-', '-C', context, '.']);
      expect(await build(['-'], archive)).toBe('content\n');
      expect(await build(['--target', 'first', '-f', 'Dockerfile', '-'], archive)).toBe('default\n');
    }
    const both = await store.run(['build', '-f', '-', '-'], { input: alone });
    expect(both.exitCode).toBe(1);
  });

  it('--secret comes from files, variables and pipes', async () => {
    writeFileSync(join(context, 'token'), 'of the file');
    const text = `FROM ${BASE_IMAGE}\nARG CASE\nRUN --mount=type=secret,id=token,required cat /run/secrets/token | tr a-z A-Z > /value\n`;
    const build = async (name: string, flag: string, env: Record<string, string> = {}): Promise<string> => {
      const args = [
        'build',
        '-t',
        'flags/secret',
        '--build-arg',
        `CASE=${name}`,
        '--secret',
        flag,
        '-f',
        '-',
        context,
      ];
      const result = await store.run(args, { input: text, cwd: context, env });
      if (result.exitCode !== 0)
        return (
          result.stderr
            .trimEnd()
            .split('\n')
            .findLast((line) => line.startsWith('ERROR')) ?? ''
        );
      return store.ok(['run', 'flags/secret', 'cat', '/value']);
    };
    expect(await build('file', 'id=token,src=token')).toBe('OF THE FILE');
    expect(await build('source', 'type=file,id=token,source=./token')).toBe('OF THE FILE');
    expect(await build('bare', 'id=token')).toBe('OF THE FILE');
    expect(await build('bare variable', 'id=token', { token: 'of the variable' })).toBe('OF THE VARIABLE');
    expect(await build('variable', 'id=token,env=T', { T: 'of env' })).toBe('OF ENV');
    expect(await build('typed', 'type=env,id=token,src=T', { T: 'of env' })).toBe('OF ENV');
    for (const flag of [
      'id',
      'type=x,id=a',
      'id=a,foo=b',
      'src=token',
      'id=a,src=/no/such',
      'id=other,src=token',
    ])
      expect(`${flag}: ${await build('bad', flag)}`).toMatchSnapshot();

    const [program, ...args] = slipwayCommand([
      'build',
      '-t',
      'flags/secret',
      '--build-arg',
      'CASE=pipe',
      '-f',
      '-',
      context,
    ]);
    const piped = spawnSync(
      'bash',
      ['-c', `"$0" "$@" --secret id=token,src=<(sleep 0.2; printf 'of the pipe')`, program!, ...args],
      {
        env: { ...process.env, SLIPWAY_ROOT: store.root },
        input: text,
        encoding: 'utf8',
        timeout: 60_000,
      },
    );
    expect(piped.stderr).toContain('DONE');
    expect(await store.ok(['run', 'flags/secret', 'cat', '/value'])).toBe('OF THE PIPE');
  });

  it('--progress=rawjson gives one object on each line, and nothing else', async () => {
    const { stderr } = await store.run([
      'build',
      '--progress=rawjson',
      '--no-cache',
      '--build-arg',
      'UNUSED=1',
      context,
    ]);
    const kinds = new Set(
      stderr
        .trimEnd()
        .split('\n')
        .flatMap((line) => Object.keys(JSON.parse(line) as object)),
    );
    expect([...kinds].sort()).toEqual(['statuses', 'vertexes']);
  });
});
