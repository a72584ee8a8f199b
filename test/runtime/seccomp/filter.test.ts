import { describe, expect, test } from 'vitest';
import { containerCapabilities } from '../../../src/runtime/capabilities.ts';
import { buildSeccompFilter } from '../../../src/runtime/seccomp/filter.ts';
import { ociSeccomp } from '../../../src/runtime/seccomp/oci-seccomp.ts';
import { type SyscallArch, syscallNumbers } from '../../../src/runtime/seccomp/syscall-numbers.ts';

const audit = { x86_64: 0xc000003e, arm64: 0xc00000b7, i386: 0x40000003, arm: 0x40000028 };
const sandbox = containerCapabilities({ security: 'sandbox', network: 'host' });

/** Runs classic BPF on a struct seccomp_data as the kernel does. */
function evaluate(program: Buffer, arch: number, number: number, args: number[]): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch >>> 0, 4);
  args.forEach((arg, i) => {
    data.writeUInt32LE(arg >>> 0, 16 + i * 8);
  });
  let accumulator = 0;
  for (let at = 0; ; at += 8) {
    const [code, yes, no] = [program.readUInt16LE(at), program[at + 2]!, program[at + 3]!];
    const operand = program.readUInt32LE(at + 4);
    const jump = (condition: boolean) => {
      at += 8 * (condition ? yes : no);
    };
    if (code === 0x20) accumulator = data.readUInt32LE(operand);
    else if (code === 0x05) at += 8 * operand;
    else if (code === 0x15) jump(accumulator === operand);
    else if (code === 0x25) jump(accumulator > operand);
    else if (code === 0x35) jump(accumulator >= operand);
    else if (code === 0x45) jump((accumulator & operand) !== 0);
    else if (code === 0x06) {
      if (operand === 0x7fff0000) return 'allow';
      return operand === 0x80000000 ? 'kill' : `errno ${operand & 0xffff}`;
    } else throw new Error(`opcode ${code}`);
  }
}

const cases: [SyscallArch, 'x86_64' | 'arm64'][] = [
  ['x86_64', 'x86_64'],
  ['i386', 'x86_64'],
  ['arm64', 'arm64'],
  ['arm', 'arm64'],
];

describe.each(cases)('calls of %s under the filter for %s', (arch, native) => {
  const numbers = syscallNumbers(arch);
  const program = buildSeccompFilter(native, sandbox);
  const verdict = (name: string, ...args: number[]) =>
    evaluate(program, audit[arch], numbers.get(name)!, args);

  test('every call of the profile gets what the OCI form of the profile says', () => {
    const listed = new Map<string, string>();
    for (const { names, action, args, errnoRet } of ociSeccomp(native, sandbox).syscalls) {
      if (args) continue;
      for (const name of names) listed.set(name, action === 'SCMP_ACT_ALLOW' ? 'allow' : `errno ${errnoRet}`);
    }
    const byArgument = ['socket', 'personality', 'clone'];
    // Names that only the other architecture of the pair allows.
    const other = ['arch_prctl', 'modify_ldt', 'breakpoint', 'cacheflush', 'set_tls'];
    for (const name of numbers.keys()) {
      if (byArgument.includes(name) || other.includes(name)) continue;
      expect([name, verdict(name)]).toEqual([name, listed.get(name) ?? 'errno 1']);
    }
    expect([...numbers.keys()].filter((name) => verdict(name) === 'allow').length).toBeGreaterThan(240);
  });

  test('looks at arguments', () => {
    const socket = [2, 16, 37, 38, 39, 40, 41].map((family) => verdict('socket', family));
    expect(socket).toEqual(['allow', 'allow', 'allow', 'errno 1', 'allow', 'errno 1', 'allow']);
    const personality = [0, 8, 0x20000, 0x20008, 0xffffffff, 0x40000].map((p) => verdict('personality', p));
    expect(personality).toEqual(['allow', 'allow', 'allow', 'allow', 'allow', 'errno 1']);
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(verdict('clone', flag | 17)).toBe('errno 1');
    }
    expect(verdict('clone', 0x3d0f00)).toBe('allow');
  });

  test('says that clone3 and calls newer than the profile do not exist', () => {
    expect(verdict('clone3')).toBe('errno 38');
    expect(evaluate(program, audit[arch], 700, [])).toBe('errno 38');
    if (arch === 'x86_64') expect(evaluate(program, audit[arch], 0x40000000 + 39, [])).toBe('errno 38');
  });

  test('refuses what no sandbox may do', () => {
    for (const name of [
      'mount',
      'unshare',
      'setns',
      'keyctl',
      'bpf',
      'init_module',
      'reboot',
      'pivot_root',
    ]) {
      expect([name, verdict(name)]).toEqual([name, 'errno 1']);
    }
  });
});

test('another architecture is killed', () => {
  expect(evaluate(buildSeccompFilter('x86_64', sandbox), audit.arm64, 0, [])).toBe('kill');
  expect(evaluate(buildSeccompFilter('arm64', sandbox), audit.x86_64, 0, [])).toBe('kill');
});

test('capabilities open their calls', () => {
  const numbers = syscallNumbers('x86_64');
  const program = buildSeccompFilter(
    'x86_64',
    containerCapabilities({ security: 'insecure', network: 'host' }),
  );
  for (const name of ['mount', 'clone3', 'bpf', 'reboot', 'ptrace', 'kcmp', 'open_by_handle_at']) {
    expect([name, evaluate(program, audit.x86_64, numbers.get(name)!, [])]).toEqual([name, 'allow']);
  }
});
