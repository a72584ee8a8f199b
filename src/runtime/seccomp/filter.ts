import type { Capability } from '../capabilities.ts';
import { type ArgumentTest, type Verdict, verdicts } from './profile.ts';
import { type SyscallArch, syscallNumbers } from './syscall-numbers.ts';

/** AUDIT_ARCH_* of linux/audit.h. */
const auditArch: Record<SyscallArch, number> = {
  x86_64: 0xc000003e,
  arm64: 0xc00000b7,
  i386: 0x40000003,
  arm: 0x40000028,
};

/** The 32-bit programs that a kernel of this architecture runs too, as in Docker's profile. */
const companion: Record<'x86_64' | 'arm64', SyscallArch> = { x86_64: 'i386', arm64: 'arm' };

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errnoReturn = (errno: number) => 0x00050000 | errno;
const EPERM = 1;
const ENOSYS = 38;

/** x32 calls come as x86-64 with this bit. */
const X32_BIT = 0x40000000;
/** 32-bit arm has five calls of its own from here on, far above the common ones. */
const ARM_PRIVATE = 0xf0000;

/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCH = 4;
const argumentLow = (index: number) => 16 + 8 * index;

/** Opcodes of classic BPF. */
const LOAD = 0x20;
const JUMP = 0x05;
const IF_EQUAL = 0x15;
const IF_GREATER = 0x25;
const IF_AT_LEAST = 0x35;
const IF_BITS = 0x45;
const RETURN = 0x06;

/** One BPF instruction: opcode, jump distances when true and when false, operand. */
type Instruction = readonly [code: number, yes: number, no: number, operand: number];

const ret = (value: number): Instruction => [RETURN, 0, 0, value];

/**
 * Builds the program for seccomp(2): an array of `struct sock_filter`, 8 bytes each. Allowed calls are as in
 * Docker's default profile for `capabilities`, for this architecture and its 32-bit companion. Others get EPERM;
 * calls newer than the profile and x32 calls get ENOSYS, so that libc falls back; any other architecture kills.
 */
export function buildSeccompFilter(arch: 'x86_64' | 'arm64', capabilities: ReadonlySet<Capability>): Buffer {
  const program: Instruction[] = [[LOAD, 0, 0, ARCH]];
  for (const each of [arch, companion[arch]]) {
    const section = archSection(each, capabilities);
    program.push([IF_EQUAL, 1, 0, auditArch[each]], [JUMP, 0, 0, section.length], ...section);
  }
  program.push(ret(KILL_PROCESS));
  return encode(program);
}

function archSection(arch: SyscallArch, capabilities: ReadonlySet<Capability>): Instruction[] {
  const known = syscallNumbers(arch);
  const entries: { number: number; verdict: Verdict }[] = [];
  for (const [name, verdict] of verdicts(arch, capabilities)) {
    const number = known.get(name);
    if (number !== undefined) entries.push({ number, verdict });
  }
  entries.sort((a, b) => a.number - b.number);
  const newest = Math.max(...[...known.values()].filter((n) => n < ARM_PRIVATE));

  const section: Instruction[] = [[LOAD, 0, 0, NUMBER]];
  if (arch === 'x86_64') section.push([IF_AT_LEAST, 0, 1, X32_BIT], ret(errnoReturn(ENOSYS)));
  for (const { number } of entries.filter((e) => e.number >= ARM_PRIVATE)) {
    section.push([IF_EQUAL, 0, 1, number], ret(ALLOW));
  }
  section.push([IF_GREATER, 0, 1, newest], ret(errnoReturn(ENOSYS)));
  const common = entries.filter((e) => e.number < ARM_PRIVATE);
  for (let i = 0; i < common.length; i++) {
    const { number, verdict } = common[i]!;
    if (verdict !== 'allow') {
      const body = 'errno' in verdict ? [ret(errnoReturn(verdict.errno))] : testArgument(verdict);
      section.push([IF_EQUAL, 0, body.length, number], ...body);
      continue;
    }
    let last = number;
    while (common[i + 1]?.verdict === 'allow' && common[i + 1]!.number === last + 1) {
      last++;
      i++;
    }
    // Ranges ascend: below this one and not in an earlier one means refused.
    section.push([IF_GREATER, 3, 0, last], [IF_AT_LEAST, 0, 1, number], ret(ALLOW), ret(errnoReturn(EPERM)));
  }
  section.push(ret(errnoReturn(EPERM)));
  return section;
}

function testArgument(test: ArgumentTest): Instruction[] {
  const load: Instruction = [LOAD, 0, 0, argumentLow(test.argument)];
  const [allow, refuse] = [ret(ALLOW), ret(errnoReturn(EPERM))];
  if (test.test === 'bits-clear') return [load, [IF_BITS, 1, 0, test.mask], allow, refuse];
  const [hit, miss] = test.test === 'one-of' ? [allow, refuse] : [refuse, allow];
  // A match jumps over the remaining comparisons and the miss.
  const compare = test.values.map((value, i): Instruction => [IF_EQUAL, test.values.length - i, 0, value]);
  return [load, ...compare, miss, hit];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, yes, no, operand], i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(yes, i * 8 + 2);
    bytes.writeUInt8(no, i * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, i * 8 + 4);
  });
  return bytes;
}
