import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { ended, slipwayCommand, startSlipway } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';
import { slipwayInTerminal, type TerminalStep } from '../support/terminal.ts';

describeWith({ needs: [root()] }, 'run', () => {
  const store = suiteStore();
  const IMAGE = 'test/run';

  beforeAll(async () => {
    const context = store.context('run', {
      Dockerfile: `FROM ${BASE_IMAGE}
RUN echo 'named:x:1001:1002::/home/named:/bin/sh' >> /etc/passwd && echo 'kept' > /kept && printf '\\001\\002' > /bad && chmod +x /bad
ENV FROM_IMAGE=image OTHER=other
WORKDIR /work/dir
USER 1234:5678
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo $0 default"]
`,
    });
    await store.ok(['build', '-q', '-t', IMAGE, context]);
  });

  // What a killed front leaves is ended by the kernel, a moment later.
  afterEach(() => vi.waitFor(() => expect(leftovers(store.root)).toEqual([]), { timeout: 20_000 }));

  const run = (...args: string[]) => store.run(['run', '--rm', '--runtime', 'embedded', ...args]);

  it.each([
    [['sh', '-c', 'exit 0'], 0],
    [['sh', '-c', 'exit 3'], 3],
    [['sh', '-c', 'exit 255'], 255],
    [['no-such-program'], 127],
    [['/no/such/program'], 127],
    [['/etc/passwd'], 126],
    [['sh', '-c', "sh -c 'kill -9 $$'; exit $?"], 137],
  ])('%j has the exit code %d', async (command, exitCode) => {
    expect((await run(BASE_IMAGE, ...command)).exitCode).toBe(exitCode);
  });

  it('says why a program cannot be started, and that an image is not there', async () => {
    const said = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await run(...args);
      return { exitCode, stdout, stderr };
    };
    expect(await said(BASE_IMAGE, 'no-such-program')).toMatchInlineSnapshot(`
      {
        "exitCode": 127,
        "stderr": "slipway: exec: "no-such-program": executable file not found in $PATH
      Hint: If the file is there, the interpreter that it names (its #! line or its loader) is not.

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said(BASE_IMAGE, '/etc')).toMatchInlineSnapshot(`
      {
        "exitCode": 126,
        "stderr": "slipway: exec: "/etc": permission denied
      Hint: The file is not marked executable for this user, or lies on a noexec mount.

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said('--entrypoint', '/bad', IMAGE)).toMatchInlineSnapshot(`
      {
        "exitCode": 126,
        "stderr": "slipway: exec: "/bad": exec format error
      Hint: It is no program, and a script needs a first line such as #!/bin/sh.

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said('not/there')).toMatchInlineSnapshot(`
      {
        "exitCode": 125,
        "stderr": "slipway: No such image: not/there:latest

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said('-u', 'nobody-knows', BASE_IMAGE, 'true')).toMatchInlineSnapshot(`
      {
        "exitCode": 125,
        "stderr": "slipway: unable to find user nobody-knows: no matching entries in passwd file
      Hint: USER takes a name of /etc/passwd in this stage, or a number.

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said('--no-such-flag', BASE_IMAGE)).toMatchInlineSnapshot(`
      {
        "exitCode": 125,
        "stderr": "unknown flag: --no-such-flag
      See 'slipway run --help'.

      Usage:  slipway run [OPTIONS] IMAGE [COMMAND] [ARG...]
      ",
        "stdout": "",
      }
    `);
    expect(await said('--entrypoint', '', IMAGE)).toMatchInlineSnapshot(`
      {
        "exitCode": 125,
        "stderr": "slipway: no command specified
      Hint: The image has neither CMD nor ENTRYPOINT: name a program after the image.

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said('-v', 'relative', BASE_IMAGE, 'true')).toMatchInlineSnapshot(`
      {
        "exitCode": 125,
        "stderr": "slipway: invalid volume specification: 'relative'
      Hint: Write -v /path/on/this/machine:/path/in/container[:ro].

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said('-w', 'relative', BASE_IMAGE, 'true')).toMatchInlineSnapshot(`
      {
        "exitCode": 125,
        "stderr": "slipway: the working directory 'relative' is invalid, it needs to be an absolute path

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
    expect(await said('-t', '-i', BASE_IMAGE, 'true')).toMatchInlineSnapshot(`
      {
        "exitCode": 125,
        "stderr": "slipway: the input device is not a TTY
      Hint: Leave out -t when standard input is not a terminal.

      See 'slipway run --help'.
      ",
        "stdout": "",
      }
    `);
  });

  it('merges the image and the command line', async () => {
    const out = async (...args: string[]) => (await run(...args)).stdout.trimEnd();
    expect(await out(IMAGE)).toBe('/bin/sh default');
    expect(await out(IMAGE, 'echo $0 "$@" $PWD; id -u; id -g', 'zero', 'one', 'two')).toBe(
      'zero one two /work/dir\n1234\n5678',
    );
    expect(await out('--entrypoint', '/bin/echo', IMAGE)).toBe('');
    expect(await out('--entrypoint', 'echo', IMAGE, '-n', 'a')).toBe('a');
    expect(await out('--entrypoint', '', IMAGE, 'echo', 'plain')).toBe('plain');
    expect(await out('-w', '/made/here', IMAGE, 'pwd')).toBe('/made/here');
    expect(await out('-u', 'named', IMAGE, 'id -u; id -g; echo $HOME')).toBe('1001\n1002\n/home/named');
    expect(await out('-u', '7', IMAGE, 'id -u; id -g; echo $HOME')).toBe('7\n0\n/');
    expect(
      (
        await store.run(
          [
            'run',
            '-e',
            'OTHER=given',
            '-e',
            'TAKEN',
            '-e',
            'UNSET',
            '-e',
            'EMPTY=',
            '--entrypoint',
            'env',
            IMAGE,
          ],
          {
            env: { TAKEN: 'from here', UNSET: undefined },
          },
        )
      ).stdout.replace(/HOSTNAME=[0-9a-f]{12}\n/, 'HOSTNAME=(id)\n'),
    ).toMatchInlineSnapshot(`
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
      HOSTNAME=(id)
      FROM_IMAGE=image
      OTHER=given
      TAKEN=from here
      EMPTY=
      HOME=/
      "
    `);
  });

  it('drops what the container changed', async () => {
    expect((await run('-u', '0', IMAGE, 'rm /kept; echo new > /new; ls /kept /new 2>/dev/null')).stdout).toBe(
      '/new\n',
    );
    expect((await run('-u', '0', IMAGE, 'ls /kept /new 2>/dev/null')).stdout).toBe('/kept\n');
  });

  it('passes standard input with -i only, and keeps the outputs apart', async () => {
    const both = 'cat; echo out; echo err >&2';
    const options = { input: 'given\n' };
    expect(await store.run(['run', BASE_IMAGE, 'sh', '-c', both], options)).toMatchObject({
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(await store.run(['run', '-i', BASE_IMAGE, 'sh', '-c', both], options)).toMatchObject({
      stdout: 'given\nout\n',
      stderr: 'err\n',
    });
    const large = Buffer.alloc(20 * 1024 * 1024, 'x');
    expect((await store.run(['run', '-i', BASE_IMAGE, 'wc', '-c'], { input: large })).stdout.trim()).toBe(
      String(large.length),
    );
    expect((await store.run(['run', '-i', BASE_IMAGE, 'true'], { input: large })).exitCode).toBe(0);
    expect((await store.run(['run', '-i', BASE_IMAGE, 'head', '-c', '3'], { input: large })).stdout).toBe(
      'xxx',
    );
  });

  it('writes all of a large output', async () => {
    const { stdout, exitCode } = await run(
      BASE_IMAGE,
      'sh',
      '-c',
      'dd if=/dev/zero bs=1M count=50 2>/dev/null | tr "\\0" x; exit 4',
    );
    expect([stdout.length, exitCode]).toEqual([50 * 1024 * 1024, 4]);
  });

  it('ends when nobody reads its output any more', () => {
    const line = `SLIPWAY_ROOT='${store.root}' '${process.execPath}' bin/slipway.js run ${BASE_IMAGE} yes | head -n 1; echo \${PIPESTATUS[0]}`;
    const out = execFileSync('bash', ['-c', line], {
      encoding: 'utf8',
      cwd: join(import.meta.dirname, '../..'),
    });
    expect(out).toMatch(/^y\n(141|1)\n$/);
  });

  it('hands no open file of its caller on', () => {
    const line = `"$0" "$@" run --runtime embedded ${BASE_IMAGE} ls /proc/self/fd 9</etc/passwd`;
    const [program, ...args] = slipwayCommand([]);
    const out = execFileSync('bash', ['-c', line, program!, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, SLIPWAY_ROOT: store.root },
    });
    expect(out.split('\n')).toEqual(['0', '1', '2', '3', '']);
  });

  it('mounts what -v names', async () => {
    const folder = store.context('volume', { 'dir/file': 'content\n', single: 'single\n' });
    const out = async (...args: string[]) => (await run(...args)).stdout;
    expect(
      await out('-v', `${folder}/dir:/v`, BASE_IMAGE, 'sh', '-c', 'cat /v/file; echo new > /v/new'),
    ).toBe('content\n');
    expect(readFileSync(join(folder, 'dir/new'), 'utf8')).toBe('new\n');
    expect(
      await out(
        '-v',
        `${folder}/dir:/v:ro`,
        BASE_IMAGE,
        'sh',
        '-c',
        'touch /v/x 2>/dev/null || echo refused',
      ),
    ).toBe('refused\n');
    expect(await out('-v', `${folder}/single:/deep/in/single`, BASE_IMAGE, 'cat', '/deep/in/single')).toBe(
      'single\n',
    );
    expect(await out('-v', `${folder}/made/here:/v`, BASE_IMAGE, 'ls', '-A', '/v')).toBe('');
    expect(statSync(join(folder, 'made/here')).isDirectory()).toBe(true);
    const relative = await store.run(['run', '-v', './dir:/v', BASE_IMAGE, 'cat', '/v/file'], {
      cwd: folder,
    });
    expect(relative.stdout).toBe('content\n');
    expect(existsSync('/v')).toBe(false);
  });

  it('gives the network of the machine, or none', async () => {
    expect((await run('--network', 'none', BASE_IMAGE, 'ls', '/sys/class/net')).stdout).toBe('lo\n');
    const files = 'cat /etc/resolv.conf; hostname; grep $(hostname) /etc/hosts | wc -l';
    const { stdout } = await run(BASE_IMAGE, 'sh', '-c', files);
    expect(stdout.startsWith(readFileSync('/etc/resolv.conf', 'utf8'))).toBe(true);
    expect(stdout).toMatch(/[0-9a-f]{12}\n1\n$/);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('passes %s on to the program', async (signal) => {
    const script = `trap 'echo caught; exit 5' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    const child = startSlipway(['run', BASE_IMAGE, 'sh', '-c', script], { root: store.root });
    child.stdout?.once('data', () => child.kill(signal));
    expect(await ended(child)).toMatchObject({ stdout: 'ready\ncaught\n', exitCode: 5 });
  });

  it('ends at the second interrupt when the program ignores the first', async () => {
    const script = `trap 'echo ignored' INT; echo ready; while :; do sleep 0.05; done`;
    const child = startSlipway(['run', BASE_IMAGE, 'sh', '-c', script], { root: store.root });
    child.stdout?.on('data', () => child.kill('SIGINT'));
    expect((await ended(child)).exitCode).toBe(130);
  });

  it('dies with its front, however that dies', async () => {
    const child = startSlipway(['run', BASE_IMAGE, 'sh', '-c', 'echo ready; sleep 1000'], {
      root: store.root,
    });
    child.stdout?.once('data', () => child.kill('SIGKILL'));
    expect((await ended(child)).signal).toBe('SIGKILL');
  });
});

describeWith({ needs: [root(), program('python3')] }, 'run on a terminal', () => {
  const store = suiteStore();
  const inTerminal = (command: string, steps: TerminalStep[] = [], flags = ['-it']) =>
    slipwayInTerminal(['run', ...flags, BASE_IMAGE, 'sh', '-c', command], { root: store.root, steps });

  // What a killed front leaves is ended by the kernel, a moment later.
  afterEach(() => vi.waitFor(() => expect(leftovers(store.root)).toEqual([]), { timeout: 20_000 }));

  it('gives the program a terminal of the same size, and another one when that changes', async () => {
    const result = await inTerminal(
      "trap 'stty size; exit 6' WINCH; tty; stty size; echo $TERM; while :; do sleep 0.05; done",
      [{ expect: 'xterm' }, { resize: [40, 120] }, { expect: '40 120' }],
    );
    expect(result).toEqual({
      output: '/dev/pts/0\r\n30 100\r\nxterm\r\n40 120\r\n',
      exitCode: 6,
      echo: true,
      canonical: true,
      left: [],
    });
  });

  it('passes keys on, Ctrl-C among them, and leaves the terminal as it was', async () => {
    const result = await inTerminal(
      "trap 'echo caught; exit 9' INT; echo ready; read line; echo got $line; while :; do sleep 0.05; done",
      [
        { expect: 'ready' },
        { send: 'typed\r' },
        { expect: 'got typed' },
        { send: '\x03' },
        { expect: 'caught' },
      ],
    );
    expect(result).toMatchObject({ exitCode: 9, echo: true, canonical: true, left: [] });
    expect(result.output).toContain('typed\r\ngot typed\r\n^Ccaught\r\n');
  });

  it('is at its end at Ctrl-D', async () => {
    const result = await inTerminal('echo ready; cat; echo end', [
      { expect: 'ready' },
      { send: 'a\r' },
      { expect: 'a\r\na' },
      { send: '\x04' },
    ]);
    expect(result).toMatchObject({ output: 'ready\r\na\r\na\r\nend\r\n', exitCode: 0, left: [] });
  });

  it('shows all that a program writes before it ends', async () => {
    const { output, exitCode } = await inTerminal(
      'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 2',
    );
    expect(exitCode).toBe(2);
    expect(output.split('\r\n')).toEqual([...Array.from({ length: 2000 }, (_, i) => `line ${i}`), '']);
  });

  it('leaves the terminal as it was when the program cannot be started', async () => {
    const result = await slipwayInTerminal(['run', '-it', BASE_IMAGE, 'no-such-program'], {
      root: store.root,
    });
    expect(result).toMatchObject({ exitCode: 127, echo: true, canonical: true });
    expect(result.output).toContain('executable file not found');
  });
});
