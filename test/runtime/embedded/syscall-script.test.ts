import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ScriptArch } from '../../../src/runtime/embedded/machine-code.ts';
import { SyscallScript } from '../../../src/runtime/embedded/syscall-script.ts';
import { describeWith, program } from '../../support/need.ts';

const native: ScriptArch = process.arch === 'arm64' ? 'arm64' : 'x86_64';
const emulators: Record<ScriptArch, string> = { x86_64: 'qemu-x86_64-static', arm64: 'qemu-aarch64-static' };

const [ENOENT, EBADF, EACCES] = [2, 9, 13];
const AT_FDCWD = -100;

describe.each<ScriptArch>(['x86_64', 'arm64'])('a program for %s', (arch) => {
  const emulator = arch === native ? [] : [emulators[arch]];
  const needs = emulator.map((name) => program(name, 'qemu-user-static'));

  describeWith({ needs }, 'runs', () => {
    let directory: string;
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'slipway-script-'));
    });
    afterAll(() => rmSync(directory, { recursive: true }));

    /** Builds and runs a script; the report is told as purpose and errno. */
    const run = (write: (script: SyscallScript) => void) => {
      const script = new SyscallScript(arch);
      write(script);
      const program = script.build();
      const path = join(directory, 'program');
      writeFileSync(path, program.elf);
      chmodSync(path, 0o755);
      const [command = path, ...args] = [...emulator, path];
      const { status, output } = spawnSync(command, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
      const bytes = output[3] as Buffer | null;
      const report =
        bytes?.length === 16
          ? `${program.purposeAt(bytes.readBigUInt64LE(0))}: ${bytes.readBigUInt64LE(8)}`
          : undefined;
      return { status, stdout: output[1]!.toString(), report };
    };
    const print = (script: SyscallScript, text: string) =>
      script.call('write', [1, script.string(text), text.length]);
    const absent = (script: SyscallScript) => [AT_FDCWD, script.string('/absent/file'), 0];

    test('makes its calls in order and ends with 0', () => {
      const result = run((script) => {
        print(script, 'one ');
        print(script, 'two');
      });
      expect(result).toEqual({ status: 0, stdout: 'one two', report: undefined });
    });

    test('ends with the code it is told', () => {
      expect(run((script) => script.call('exit_group', [42])).status).toBe(42);
    });

    test('reports the first error that is not tolerated', () => {
      const result = run((script) => {
        print(script, 'before');
        script.purpose('open the file');
        script.call('openat', absent(script));
        print(script, 'after');
      });
      expect(result).toEqual({ status: 125, stdout: 'before', report: `open the file: ${ENOENT}` });
    });

    test('goes on after an error that is tolerated, and only that one', () => {
      const result = run((script) => {
        script.call('openat', absent(script), [EACCES, ENOENT]);
        print(script, 'on');
        script.purpose('close');
        script.call('close', [-1], [EACCES, ENOENT, 63]);
      });
      expect(result).toEqual({ status: 125, stdout: 'on', report: `close: ${EBADF}` });
    });

    test('tolerates any error, those above 63 too', () => {
      const result = run((script) => {
        // ENOTSOCK is 88.
        script.call('listen', [0, 1], 'any');
        print(script, 'on');
        script.call('listen', [0, 1], [1, 63]);
      });
      expect(result).toEqual({ status: 125, stdout: 'on', report: ': 88' });
    });

    test('leaves an attempt for its alternative', () => {
      const result = run((script) => {
        const attempt = (text: string, fails: boolean) =>
          script.attempt(
            [ENOENT],
            () => {
              print(script, `${text} `);
              if (fails) script.open('openat', absent(script));
              print(script, 'done ');
            },
            () => print(script, 'otherwise '),
          );
        attempt('a', false);
        attempt('b', true);
        script.attempt([ENOENT], () => attempt('c', true));
        print(script, 'end');
      });
      expect(result.stdout).toBe('a done b otherwise c otherwise end');
      expect(result.status).toBe(0);
    });

    test('knows the number of each descriptor it opens, also after attempts that failed', () => {
      const result = run((script) => {
        script.closeFrom(4);
        const root = () => script.open('openat', [AT_FDCWD, script.string('/'), 0]);
        expect(root()).toBe(4);
        script.attempt([ENOENT], () => {
          expect(root()).toBe(5);
          script.scope(() => void root());
          script.call('openat', absent(script));
        });
        const last = root();
        expect(last).toBe(5);
        script.call('fchdir', [last]);
        script.purpose('one more would be wrong');
        script.call('fchdir', [last + 1]);
      });
      expect(result).toMatchObject({ status: 125, report: `one more would be wrong: ${EBADF}` });
    });

    test('executes a program with the arguments and environment it is given', () => {
      const result = run((script) => {
        const argv = script.words([script.string('env'), script.string('printenv'), script.string('A'), 0]);
        const envp = script.words([script.string('A=b c'), 0]);
        script.call('execve', [script.string('/usr/bin/env'), argv, envp]);
      });
      expect(result).toEqual({ status: 0, stdout: 'b c\n', report: undefined });
    });

    test('is never writable and executable at once', () => {
      const script = new SyscallScript(arch);
      const { elf } = script.build();
      const flags = [0, 1, 2].map((i) => elf.readUInt32LE(64 + i * 56 + 4));
      expect(flags).toEqual([5, 6, 6]);
    });
  });
});
