import { mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerSpec, Mount } from '../../src/runtime/types.ts';
import { describeWith } from '../support/need.ts';
import {
  makeImage,
  type RunRequest,
  removeScratch,
  scratchDirectory,
  startWorker,
  type TestWorker,
  testObstacle,
  type WorkerOptions,
} from './harness.ts';

/** A runtime under test, in a worker that is real root or root of a user namespace with that single id. */
export type Subject = Pick<WorkerOptions, 'runtime' | 'userNamespace'>;

/** What every container runtime must do, on the real kernel. */
export function conformance(subject: Subject): void {
  const title = `${subject.runtime}${subject.userNamespace ? ' in a user namespace' : ''}`;

  describeWith({ needs: [() => testObstacle(subject)] }, title, () => {
    let directory: string;
    let worker: TestWorker;
    beforeAll(async () => {
      directory = scratchDirectory();
      const image = makeImage(`${directory}/image`);
      writeFileSync(`${image}/bin/junk`, '\x00\x01\x02', { mode: 0o755 });
      writeFileSync(`${image}/bin/orphan`, '#!/bin/absent\n', { mode: 0o755 });
      writeFileSync(`${image}/bin/plain`, 'text\n', { mode: 0o644 });
      worker = await startWorker({ ...subject, directory, image });
    });
    afterAll(async () => {
      await worker?.[Symbol.asyncDispose]();
      removeScratch(directory);
    });

    /** Runs one container; whatever it was, nothing of it may be left. */
    const run = async (request: RunRequest) => {
      const answer = await worker.run(request);
      expect(answer.left).toEqual([]);
      expect(answer.leaked).toEqual([]);
      expect(answer.mountsChanged).toBe(false);
      expect(answer.alive ?? false).toBe(false);
      return answer;
    };
    const shell = async (text: string, spec?: Partial<ContainerSpec>) => {
      const { stdout, stderr, exit, error } = await run({ spec: { args: ['sh', '-c', text], ...spec } });
      if (error || exit?.exitCode !== 0) {
        throw new Error(`${error?.code} ${error?.message} exit ${exit?.exitCode}: ${stdout}${stderr}`);
      }
      return stdout;
    };

    /** What needs more ids than the one that the user namespace of these tests has. */
    const testWithIds = (name: string, body: () => Promise<void>) => {
      if (!subject.userNamespace) test(name, body);
    };

    describe('isolation', () => {
      test('has namespaces of its own', async () => {
        const names = ['ipc', 'uts', 'cgroup', 'mnt', 'pid'];
        const inside = (
          await shell(`for n in ${names.join(' ')}; do readlink /proc/self/ns/$n; done`)
        ).trim();
        for (const [i, name] of names.entries()) {
          expect(inside.split('\n')[i]).toMatch(new RegExp(`^${name}:\\[\\d+\\]$`));
          expect(inside.split('\n')[i]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
        }
      });

      test('shares the network with the worker when told', async () => {
        expect((await shell('readlink /proc/self/ns/net')).trim()).toBe(readlinkSync('/proc/self/ns/net'));
      });

      test('has nothing but a loopback that is up with network none', async () => {
        const output = await shell(
          'ip -o link | grep -v sit0 | cut -d: -f2; ip -o link show lo | grep -o "[<,]UP[,>]"; ping -c 1 127.0.0.1 | grep -c "1 packets received"',
          { network: 'none' },
        );
        expect(output).toMatch(/^ lo\n[<,]UP[,>]\n1\n$/);
      });

      test('cannot see processes of the worker', async () => {
        expect(await shell('echo /proc/[0-9]*')).toMatch(/^\/proc\/1( \/proc\/\d)?\n$/);
      });
    });

    describe('privilege', () => {
      const status = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr '\\t' ' '";
      const words = (caps: string, bounding: string) =>
        `CapInh: 0000000000000000\nCapPrm: ${caps}\nCapEff: ${caps}\nCapBnd: ${bounding}\n` +
        'CapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2\n';

      test('root has the default capabilities without MKNOD and, on the host network, NET_RAW', async () => {
        expect(await shell(status)).toBe(words('00000000a00405fb', '00000000a00405fb'));
      });

      test('root has NET_RAW on a network of its own', async () => {
        expect(await shell(status, { network: 'none' })).toBe(words('00000000a00425fb', '00000000a00425fb'));
      });

      testWithIds('another user has none', async () => {
        const user = { uid: 1000, gid: 1000, additionalGids: [] };
        expect(await shell(status, { user })).toBe(words('0000000000000000', '00000000a00405fb'));
      });

      test('insecure has every capability and no filter', async () => {
        const output = await shell("grep -E '^(CapBnd|Seccomp:)' /proc/self/status", {
          security: 'insecure',
        });
        // The worker's own: in a new user namespace that is every one the kernel has.
        const own = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(readFileSync('/proc/self/status', 'latin1'))![1]}`);
        const last = BigInt(readFileSync('/proc/sys/kernel/cap_last_cap', 'latin1'));
        const all = subject.userNamespace ? (2n << last) - 1n : own;
        expect(output).toBe(`CapBnd:\t${all.toString(16).padStart(16, '0')}\nSeccomp:\t0\n`);
      });

      testWithIds('takes user, group and supplementary groups', async () => {
        const user = { uid: 1000, gid: 1001, additionalGids: [27, 33] };
        expect(await shell('id -u; id -g; id -G', { user })).toBe('1000\n1001\n1001 27 33\n');
      });

      test('root has no groups of the worker', async () => {
        const groups = subject.userNamespace ? /^0( 65534)*\n$/ : /^0\n$/;
        expect(await shell('id -G')).toMatch(groups);
      });
    });

    describe('files of the kernel', () => {
      test('masks what tells about the host', async () => {
        const output = await shell(
          'for f in keys timer_list interrupts kcore sched_debug; do [ -e /proc/$f ] && wc -c < /proc/$f; done; ' +
            'for d in /proc/acpi /proc/scsi /sys/firmware; do [ -e $d ] && ls -A $d; done; true',
        );
        expect(new Set(output.split('\n'))).toEqual(new Set(['0', '']));
      });

      test('leaves /proc/sys, /proc/sysrq-trigger and /sys readable only', async () => {
        const output = await shell(
          'for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/mm/ksm/run; ' +
            'do [ -e $f ] && (echo 1 > $f) 2>&1; done; true',
        );
        const errors = output.trim().split('\n');
        expect(errors.length).toBeGreaterThan(0);
        for (const line of errors) expect(line).toMatch(/Read-only file system|Permission denied/);
      });

      test('has the usual devices, and they work', async () => {
        const names = (await shell('ls /dev')).trim().split(/\s+/);
        for (const name of ['fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stdin', 'tty']) {
          expect(names).toContain(name);
        }
        for (const name of names) {
          expect(
            'core console fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero',
          ).toContain(name);
        }
        expect(
          await shell(
            'head -c 3 /dev/zero | od -An -tx1; echo x > /dev/null; echo x > /dev/full || true; head -c 9 /dev/urandom | wc -c',
          ),
        ).toBe(' 00 00 00\n9\n');
      });

      test('has /dev/shm of the size that was asked for', async () => {
        expect(await shell('df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2')).toBe('65536\n');
        const shmSize = 1024 * 1024;
        expect(await shell('df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2', { shmSize })).toBe(
          '1024\n',
        );
      });
    });

    describe('process', () => {
      test('has the host name', async () => {
        expect(await shell('hostname', { hostname: 'tug.example' })).toBe('tug.example\n');
      });

      test('has exactly the environment that was given', async () => {
        const env = ['HOME=/x', 'PATH=/bin', 'EMPTY=', 'SPACE=a b', 'QUOTE=\'"$x', 'LINES=a\nb', 'UTF=é'];
        const { stdout } = await run({ spec: { args: ['cat', '/proc/self/environ'], env } });
        expect(Buffer.from(stdout, 'latin1').toString().split('\0').sort()).toEqual(['', ...env].sort());
      });

      test('takes arguments as they are', async () => {
        const args = ['printf', '%s|', '', 'a b', '$HOME', '"', 'a\nb', '-n', '\u00e9'];
        const { stdout } = await run({ spec: { args } });
        expect(Buffer.from(stdout, 'latin1').toString()).toBe('|a b|$HOME|"|a\nb|-n|é|');
      });

      test('starts in the working directory', async () => {
        expect(await shell('pwd', { cwd: '/home/ann' })).toBe('/home/ann\n');
      });

      testWithIds('starts in a directory that only root may enter', async () => {
        const user = { uid: 1000, gid: 1000, additionalGids: [] };
        expect(await shell('pwd', { cwd: '/root', user })).toBe('/root\n');
      });

      test('has Docker’s umask and no signal blocked or ignored', async () => {
        expect(await shell("umask; grep -E '^Sig(Blk|Ign)' /proc/self/status | tr '\\t' ' '")).toBe(
          '0022\nSigBlk: 0000000000000000\nSigIgn: 0000000000000000\n',
        );
      });

      test('inherits the three standard descriptors and no other', async () => {
        expect(await shell('ls /proc/self/fd')).toBe('0\n1\n2\n3\n');
      });

      test('is process 1', async () => {
        expect(await shell('echo $$')).toBe('1\n');
      });

      test('takes limits', async () => {
        const rlimits = [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }];
        expect(await shell('ulimit -Sn; ulimit -Hn', { rlimits })).toBe('100\n200\n');
      });

      test.each([0, 1, 42, 255])('ends with exit code %i', async (code) => {
        expect((await run({ spec: { args: ['sh', '-c', `exit ${code}`] } })).exit?.exitCode).toBe(code);
      });

      test('ends with 128 and the number when a signal kills it', async () => {
        const spec = { args: ['sh', '-c', 'echo ready; sleep 1000'] };
        const { exit } = await run({ spec, actions: [{ when: 'ready', kill: 'SIGKILL' }] });
        expect(exit?.exitCode).toBe(137);
      });

      test('gets signals that it handles', async () => {
        const spec = { args: ['sh', '-c', 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done'] };
        const { exit } = await run({ spec, actions: [{ when: 'ready', kill: 'SIGTERM' }] });
        expect(exit).toEqual({ exitCode: 7 });
      });
    });

    describe('streams', () => {
      test('standard input is empty', async () => {
        expect((await run({ spec: { args: ['wc', '-c'] } })).stdout).toBe('0\n');
      });

      test('standard input comes from a pipe', async () => {
        expect((await run({ spec: { args: ['rev'] }, stdin: 'hello\n' })).stdout).toBe('olleh\n');
      });

      test('standard input may be larger than a pipe holds', async () => {
        const stdin = 'x'.repeat(8 << 20);
        expect((await run({ spec: { args: ['sh', '-c', 'sleep 0.1; wc -c'] }, stdin })).stdout).toBe(
          `${8 << 20}\n`,
        );
      });

      test('a program that does not read its input is not in the way', async () => {
        const { exit } = await run({ spec: { args: ['true'] }, stdin: 'x'.repeat(1 << 20) });
        expect(exit).toEqual({ exitCode: 0 });
      });

      test('keeps the streams apart', async () => {
        const { stdout, stderr } = await run({ spec: { args: ['sh', '-c', 'echo out; echo err >&2'] } });
        expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'err\n' });
      });

      test('passes 100 MB', async () => {
        const { length } = await run({ spec: { args: ['head', '-c', '104857600', '/dev/zero'] } });
        expect(length).toBe(104857600);
      });

      testWithIds('lets a user reopen its streams', async () => {
        const user = { uid: 1000, gid: 1000, additionalGids: [] };
        expect(await shell('echo again > /dev/stdout', { user })).toBe('again\n');
      });
    });

    describe('life', () => {
      test('1,000 processes run in it and die with it', async () => {
        const text =
          'i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; ls -d /proc/[0-9]* | wc -l';
        expect(Number(await shell(text))).toBeGreaterThanOrEqual(1001);
      });

      test('an abort ends it while it forks as fast as it can', async () => {
        // Each of them starts the next two and stays: none can be caught by looking for it.
        const bomb =
          'b() { [ $1 -lt 8 ] || { sleep 1000; return; }; b $(($1+1)) & b $(($1+1)) & sleep 1000; }';
        const spec = { args: ['sh', '-c', `${bomb}; echo ready; b 0`] };
        const { exit } = await run({ spec, actions: [{ when: 'ready', abort: true }] });
        expect(exit?.exitCode).toBe(137);
      });

      test('the kill of its first process ends a swarm that ignores signals', async () => {
        const text =
          'trap "" TERM HUP INT; for i in 1 2 3 4 5 6 7 8; do setsid sh -c "trap \\"\\" TERM HUP INT; while :; do sleep 0.01; done" & done; echo ready; wait';
        const spec = { args: ['sh', '-c', text] };
        const { exit } = await run({ spec, actions: [{ when: 'ready', kill: 'SIGKILL' }] });
        expect(exit?.exitCode).toBe(137);
      });

      test('a limit that is exceeded ends what exceeds it, and nothing else', async () => {
        const rlimits = [{ type: 'RLIMIT_CPU', soft: 1, hard: 2 }];
        const spec = { args: ['sh', '-c', 'sh -c "while :; do :; done"; echo $?'], rlimits };
        // SIGXCPU, or SIGKILL at the hard limit.
        expect((await run({ spec })).stdout).toMatch(/^(152|137)\n$/);
        expect((await run({})).exit).toEqual({ exitCode: 0 });
      });

      test('orphans are taken over by its first process, and zombies go with it', async () => {
        const text =
          '(sh -c "sleep 0.2 & exec sleep 0.1" &); (sleep 1000 & echo $! > /orphan); grep PPid /proc/$(cat /orphan)/status';
        expect(await shell(text)).toBe('PPid:\t1\n');
      });

      test('a daemon that left its session dies with it', async () => {
        expect(await shell('setsid sh -c "trap : TERM HUP; sleep 1000" > /dev/null 2>&1 & echo left')).toBe(
          'left\n',
        );
      });

      test('an abort ends it and everything in it', async () => {
        const spec = { args: ['sh', '-c', 'sleep 1000 & setsid sleep 1000 & echo ready; sleep 1000'] };
        const { exit } = await run({ spec, actions: [{ when: 'ready', abort: true }] });
        expect(exit?.exitCode).toBe(137);
      });

      test('an abort while it starts rejects', async () => {
        const { error } = await run({ spec: { args: ['sleep', '1000'] }, abortAtOnce: true });
        expect(error?.code).toBe('CANCELED');
      });

      test('several run at once', async () => {
        const numbers = Array.from({ length: 8 }, (_, i) => i);
        const answers = await Promise.all(
          numbers.map((n) =>
            worker.run({ spec: { args: ['sh', '-c', `sleep 0.1; echo $$ ${n}; exit ${n}`] } }),
          ),
        );
        expect(answers.map(({ stdout }) => stdout)).toEqual(numbers.map((n) => `1 ${n}\n`));
        expect(answers.map(({ exit }) => exit?.exitCode)).toEqual(numbers);
        expect((await run({})).exit).toEqual({ exitCode: 0 });
      });
    });

    describe('programs that do not run', () => {
      test.each([
        ['absent', 'EXEC_NOT_FOUND'],
        ['/bin/absent', 'EXEC_NOT_FOUND'],
        ['orphan', 'EXEC_NOT_FOUND'],
        ['/bin/plain', 'EXEC_DENIED'],
        ['/bin', 'EXEC_DENIED'],
        ['junk', 'EXEC_FORMAT'],
      ])('%s: %s', async (program, code) => {
        const { error } = await run({ spec: { args: [program] } });
        expect(error).toMatchObject({ kind: 'step-failed', code });
      });

      test('a file that may not be executed does not hide one that may, further on the path', async () => {
        const source = `${directory}/first`;
        mkdirSync(source, { recursive: true });
        writeFileSync(`${source}/echo`, '', { mode: 0o644 });
        const mounts: Mount[] = [{ type: 'bind', source, target: '/first', options: [] }];
        const { stdout } = await run({
          spec: { args: ['echo', 'found'], env: ['PATH=/first:/bin'], mounts },
        });
        expect(stdout).toBe('found\n');
      });
    });

    describe('mounts', () => {
      const bind = (source: string, target: string, ...options: string[]): Mount => {
        return { type: 'bind', source, target, options };
      };

      test('binds directories and files, writable and not', async () => {
        const source = `${directory}/data`;
        mkdirSync(source, { recursive: true });
        writeFileSync(`${source}/file`, 'content\n');
        const output = await shell(
          'cat /a/file /etc/conf; (echo x > /a/new) 2>&1; (echo x > /etc/conf) 2>&1; echo y > /w/new; cat /a/new',
          {
            mounts: [
              bind(source, '/a', 'ro'),
              bind(source, '/w'),
              bind(`${source}/file`, '/etc/conf', 'ro', 'nosuid', 'noexec'),
            ],
          },
        );
        expect(output).toMatch(/^content\ncontent\n.*Read-only file system\n.*Read-only file system\ny\n$/);
      });

      test('makes file systems with their options', async () => {
        const mounts: Mount[] = [
          { type: 'tmpfs', target: '/cache', options: ['size=1m', 'mode=1770', 'noexec'] },
        ];
        // runc 1.1 gives a tmpfs the mode of the directory below it.
        const mode = subject.runtime === 'runc' ? '(755|1770)' : '1770';
        expect(
          await shell(
            "stat -c '%a %F' /cache; grep ' /cache ' /proc/mounts | grep -o 'rw,[a-z,]*noexec'; df -k /cache | tail -1 | tr -s ' ' | cut -d' ' -f2",
            { mounts },
          ),
        ).toMatch(new RegExp(`^${mode} directory\nrw,(nosuid,)?nodev,noexec\n1024\n$`));
      });

      test('mounts in order, one inside the other and below /dev', async () => {
        const source = `${directory}/nested`;
        mkdirSync(source, { recursive: true });
        writeFileSync(`${source}/file`, 'deep\n');
        const mounts: Mount[] = [
          { type: 'tmpfs', target: '/t', options: [] },
          bind(source, '/t/x/y'),
          bind(`${source}/file`, '/t/x/z'),
          bind(`${source}/file`, '/dev/extra'),
        ];
        expect(await shell('cat /t/x/y/file /t/x/z /dev/extra', { mounts })).toBe('deep\ndeep\ndeep\n');
      });

      test('leaves nothing of a mount point in the image', async () => {
        const source = `${directory}/stub`;
        mkdirSync(source, { recursive: true });
        const mounts = [bind(source, '/new/deep/target'), bind('/dev/null', '/etc/resolv.conf', 'dev')];
        const { upper, exit } = await run({ spec: { mounts } });
        expect(exit?.exitCode).toBe(0);
        expect(upper.filter((name) => name !== 'etc')).toEqual([]);
      });

      test('resolves a source inside its root', async () => {
        const root = `${directory}/cache-root`;
        mkdirSync(`${root}/etc`, { recursive: true });
        writeFileSync(`${root}/etc/hostname`, 'inside\n');
        symlinkSync('/etc', `${root}/out`);
        symlinkSync('../../../../../../../../etc', `${root}/up`);
        for (const source of ['out', 'up']) {
          const mounts: Mount[] = [{ type: 'bind', sourceRoot: root, source, target: '/m', options: [] }];
          expect(await shell('cat /m/hostname', { mounts })).toBe('inside\n');
        }
      });

      test('a read-only root is read-only, mounts on it are not', async () => {
        const mounts: Mount[] = [{ type: 'tmpfs', target: '/w', options: [] }];
        expect(
          await shell('(echo x > /x) 2>&1; echo x > /w/x; cat /w/x', { readonlyRoot: true, mounts }),
        ).toMatch(/Read-only file system\nx\n$/);
      });

      test('an absent source is an error', async () => {
        const { error } = await run({ spec: { mounts: [bind(`${directory}/absent`, '/m')] } });
        expect(error?.code).toBe('CONTAINER_SETUP');
      });
    });

    describe('terminal', () => {
      const terminal = { rows: 24, columns: 80 };

      test('is a terminal, the controlling one, of the size that was given', async () => {
        const text =
          'test -t 0 && test -t 1 && test -t 2 && echo isatty; stty size; echo control > /dev/tty; tty';
        // It waits to be told to end: crun 1.8 loses what it had no time to copy.
        const { stdout, exit } = await run({
          spec: { args: ['sh', '-c', `${text}; read x`] },
          terminal,
          actions: [{ when: '/dev/', write: '\n' }],
        });
        expect(exit).toEqual({ exitCode: 0 });
        expect(stdout.replaceAll('\r', '')).toMatch(/^isatty\n24 80\ncontrol\n\/dev\/(console|pts\/0)\n+$/);
      });

      test('takes input and changes its size', async () => {
        const text =
          'echo ready; read x; echo "got $x"; while [ "$(stty size)" != "50 132" ]; do sleep 0.02; done; echo sized';
        const { stdout } = await run({
          spec: { args: ['sh', '-c', text] },
          terminal,
          actions: [
            { when: 'ready', write: 'word\n' },
            { when: 'got word', resize: [50, 132] },
          ],
        });
        expect(stdout).toContain('sized');
      });

      test.each([4_000, 8_000, 12_000, 16_000, 24_000])(
        'shows the %d bytes of a program that is over before anybody has seen it run',
        async (bytes) => {
          const text = `head -c ${bytes} /dev/zero | tr '\\0' x; exec sleep 0`;
          for (let round = 0; round < 5; round++) {
            const { stdout, exit } = await run({ spec: { args: ['sh', '-c', text] }, terminal });
            expect(exit).toEqual({ exitCode: 0 });
            // crun 1.8 loses what it had no time to copy.
            if (subject.runtime !== 'crun') expect(stdout).toBe('x'.repeat(bytes));
          }
        },
      );

      test('passes the interrupt key as a signal', async () => {
        const text = 'trap "echo interrupted; exit 3" INT; echo ready; while :; do sleep 0.05; done';
        const { stdout, exit } = await run({
          spec: { args: ['sh', '-c', text] },
          terminal,
          actions: [{ when: 'ready', write: '\x03' }],
        });
        expect(stdout).toContain('interrupted');
        expect(exit?.exitCode).toBe(3);
      });
    });
  });
}
