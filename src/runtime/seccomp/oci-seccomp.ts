import type { Capability } from '../capabilities.ts';
import { type ArgumentTest, verdicts } from './profile.ts';

const architectures = {
  x86_64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
} as const;

const EPERM = 1;

/** `linux.seccomp` of an OCI runtime specification. */
export interface OciSeccomp {
  defaultAction: 'SCMP_ACT_ERRNO';
  defaultErrnoRet: number;
  architectures: readonly string[];
  syscalls: {
    names: string[];
    action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
    errnoRet?: number;
    args?: { index: number; value: number; valueTwo?: number; op: string }[];
  }[];
}

/** The profile that `buildSeccompFilter` compiles, for the runtimes that compile it themselves. */
export function ociSeccomp(arch: 'x86_64' | 'arm64', capabilities: ReadonlySet<Capability>): OciSeccomp {
  const [native, other] = arch === 'x86_64' ? (['x86_64', 'i386'] as const) : (['arm64', 'arm'] as const);
  const allowed: string[] = [];
  const syscalls: OciSeccomp['syscalls'] = [];
  for (const [name, verdict] of new Map([
    ...verdicts(other, capabilities),
    ...verdicts(native, capabilities),
  ])) {
    if (verdict === 'allow') allowed.push(name);
    else if ('errno' in verdict) {
      syscalls.push({ names: [name], action: 'SCMP_ACT_ERRNO', errnoRet: verdict.errno });
    } else {
      for (const args of alternatives(verdict))
        syscalls.push({ names: [name], action: 'SCMP_ACT_ALLOW', args });
    }
  }
  syscalls.unshift({ names: allowed, action: 'SCMP_ACT_ALLOW' });
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: architectures[arch],
    syscalls,
  };
}

/** One rule each: libseccomp takes a single comparison per argument and rule. */
function alternatives(test: ArgumentTest): NonNullable<OciSeccomp['syscalls'][number]['args']>[] {
  const index = test.argument;
  if (test.test === 'bits-clear') {
    return [[{ index, value: test.mask, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]];
  }
  if (test.test === 'one-of') return test.values.map((value) => [{ index, value, op: 'SCMP_CMP_EQ' }]);
  const refused = test.values.toSorted((a, b) => a - b);
  const [least, greatest] = [refused[0]!, refused.at(-1)!];
  const between = Array.from({ length: greatest - least }, (_, i) => least + i).filter(
    (v) => !refused.includes(v),
  );
  return [
    [{ index, value: least, op: 'SCMP_CMP_LT' }],
    ...between.map((value) => [{ index, value, op: 'SCMP_CMP_EQ' }]),
    [{ index, value: greatest, op: 'SCMP_CMP_GT' }],
  ];
}
